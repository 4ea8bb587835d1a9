// Walks with a client of others, and prints what it got, as JSON: `node clients.mjs CLIENT URL TOKEN VOTER DECISION`.
import "./websocket.mjs";
import { walk } from "./walk.mjs";

console.log(JSON.stringify(await walk(...process.argv.slice(2))));
process.exit(0);
