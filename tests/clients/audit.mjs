// Runs the GraphQL-over-HTTP audit against URL [TOKEN]; prints what does not hold, as JSON.
import { auditServer } from "graphql-http";

const [url, token] = process.argv.slice(2);
const authorized = token ? { authorization: `Bearer ${token}` } : {};
const audits = await auditServer({
  url,
  fetchFn: (address, request = {}) => fetch(address, { ...request, headers: { ...request.headers, ...authorized } }),
});
const found = audits.filter(({ status }) => status !== "ok");
console.log(JSON.stringify({ ok: audits.length - found.length, found: found.map(({ status, id, name, reason }) => [status, id, name, reason]) }));
