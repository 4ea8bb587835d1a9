// Makes src/generated.ts of the API's schema and of the operations that the client in Python has, too: `npm run generate`.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { codegen } from "@graphql-codegen/core";
import * as operations from "@graphql-codegen/typescript-operations";
import * as documents from "@graphql-codegen/typed-document-node";
import { parse } from "graphql";

const schema = new URL("../../schema.graphql", import.meta.url);
const queries = new URL("../python/queries/", import.meta.url);
const target = new URL("src/generated.ts", import.meta.url);

const files = readdirSync(queries, { recursive: true }).filter((name) => name.endsWith(".graphql")).sort();
const made = await codegen({
  filename: target.pathname,
  schema: parse(readFileSync(schema, "utf8")),
  documents: files.map((location) => ({ location, document: parse(readFileSync(new URL(location, queries), "utf8")) })),
  plugins: [{ operations: {} }, { documents: {} }],
  pluginMap: { operations, documents },
  config: {
    // Documents are strings: nothing is parsed where the client runs.
    documentMode: "string",
    enumType: "string-literal",
    useTypeImports: true,
    strictScalars: true,
    scalars: { BigInt: "number", DateTime: "string", JSON: "unknown" },
  },
});
writeFileSync(target, made);
