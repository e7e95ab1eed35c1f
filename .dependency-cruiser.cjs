// The import rule of the house: arrows point towards shared/; use cases and edges meet only in
// server/ports; only server/app.ts knows both. Each heavy package has one home.
const npm = ["npm", "npm-dev", "npm-peer", "npm-optional", "core"]
const only = (name, from, allowed) => ({
  name,
  severity: "error",
  from: { path: from },
  to: { pathNot: allowed, dependencyTypesNot: npm },
})
const home = (pkg, homes) => ({
  name: `${pkg}-has-a-home`,
  severity: "error",
  from: { path: "^(shared|server|client)/", pathNot: homes },
  to: { path: `node_modules/${pkg}/` },
})
const useCases =
  "server/(gate|dpop|metering|token|owner|status|receipt|credentials|introspection|revocation|funding|settlement|worker|revocations|waits|whitelist|feed|quotes|price-list|(grants|settlement|books)/[^/]+)\\.ts$"
const edges = "server/(stores|chains|keys)/"

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    only("shared-stands-alone", "^shared/", "^shared/"),
    only("client-knows-shared", "^client/", "^(client|shared)/"),
    only("server-knows-shared", "^server/", "^(server|shared)/"),
    only("core-is-pure", "^server/core/", "^(shared/|server/core/)"),
    only("ports-know-core", "^server/ports/", "^(shared/|server/core/|server/ports/)"),
    only("use-cases-know-ports", `^${useCases}`, `^(shared/|server/core/|server/ports/|${useCases})`),
    only(
      "edges-know-ports",
      `^${edges}`,
      `^(shared/|server/core/|server/ports/|server/thread-module\\.ts$|${edges})`,
    ),
    only(
      "http-knows-use-cases",
      "^server/http/",
      `^(shared/|server/core/|server/ports/|server/http/|${useCases})`,
    ),
    only(
      "adapters-know-http",
      "^server/adapters/",
      "^(shared/|server/core/|server/(app|gate|metering)\\.ts$|server/(ports|http|adapters)/)",
    ),
    {
      name: "core-and-shared-do-no-io",
      severity: "error",
      from: { path: "^(shared|server/core)/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "client-runs-anywhere",
      severity: "error",
      comment:
        "the client is for agents: no node-only or native module but in client/node, client/cli and client/mcp, which nothing else there knows",
      from: { path: "^client/", pathNot: "^client/(node|cli|mcp)/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "client-does-without-node",
      severity: "error",
      from: { path: "^client/", pathNot: "^client/(node|cli|mcp)/" },
      to: { path: "^client/(node|cli|mcp)/" },
    },
    {
      name: "store-does-without-commands",
      severity: "error",
      from: { path: "^client/node/" },
      to: { path: "^client/(cli|mcp)/" },
    },
    {
      name: "commands-do-without-mcp",
      severity: "error",
      from: { path: "^client/cli/" },
      to: { path: "^client/mcp/" },
    },
    home("better-sqlite3", "^(server/stores/|client/node/)"),
    home("express", "^server/(adapters/|app\\.ts|main\\.ts|example\\.ts)"),
    home("pino", "^server/(app|main|log)\\.ts"),
    home("axios", "^client/axios\\.ts$"),
    home("undici", "^client/undici\\.ts$"),
    home("jose", "^(server/keys/|client/)"),
    home("ox", "^client/cli/"),
    home("ora", "^client/cli/"),
    home("env-paths", "^client/cli/"),
    home("@inquirer", "^client/cli/"),
    home("@modelcontextprotocol", "^client/mcp/"),
    home("viem", "^(shared/evm\\.ts|server/chains/|client/)"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
}
