// Gives a page the clients of others, for a test to call.
import { connect } from "./connections.mjs";
import * as operations from "./operations.js";
import { walk } from "./walk.mjs";

Object.assign(globalThis, { connect, operations, walk });
