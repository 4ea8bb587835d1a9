// Node 20 has no WebSocket of its own.
import WebSocket from "ws";

globalThis.WebSocket ??= WebSocket;
