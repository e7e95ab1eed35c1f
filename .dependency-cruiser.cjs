// The import rule: arrows point towards shared/; use cases and edges meet only in server/ports; only
// server/app knows both. Each heavy package has one home.
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
const server = (...rooms) => `server/(${rooms.join("|")})/`
const useCases = server("gate", "grants", "access", "feeds", "settlement", "books", "delivery")
const edges = ["stores", "chains", "keys"]
const inner = ["core", "ports"]

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-cycles-of-folders", severity: "error", scope: "folder", from: {}, to: { circular: true } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    only("shared-stands-alone", "^shared/", "^shared/"),
    only("client-knows-shared", "^client/", "^(client|shared)/"),
    only("server-knows-shared", "^server/", "^(server|shared)/"),
    only("core-is-pure", "^server/core/", "^(shared|server/core)/"),
    only("ports-know-core", "^server/ports/", `^(shared/|${server(...inner)})`),
    only("use-cases-know-ports", `^${useCases}`, `^(shared/|${server(...inner)}|${useCases})`),
    ...edges.map((edge) =>
      only(`${edge}-know-ports`, `^${server(edge)}`, `^(shared/|${server(...inner, edge)})`),
    ),
    only("http-knows-use-cases", "^server/http/", `^(shared/|${server(...inner, "http")}|${useCases})`),
    only(
      "metrics-know-use-cases",
      "^server/metrics/",
      `^(shared/|${server(...inner, "metrics")}|${useCases})`,
    ),
    only("admin-knows-http", "^server/admin/", `^(shared/|${server(...inner, "http", "admin")}|${useCases})`),
    only("config-knows-core", "^server/config/", `^(shared/|${server("core", "config")})`),
    only(
      "adapters-know-http",
      "^server/adapters/",
      `^(shared/|${server(...inner, "http", "gate", "app", "adapters")})`,
    ),
    only(
      "proxy-knows-the-gate",
      "^server/proxy/",
      `^(shared/|${server(...inner, "config", "http", "gate", "app", "adapters", "proxy")})`,
    ),
    {
      name: "nobody-knows-commands",
      severity: "error",
      from: { path: "^server/", pathNot: "^server/commands/" },
      to: { path: "^server/commands/" },
    },
    {
      name: "tests-do-without-scripts",
      severity: "error",
      from: { path: "^test/" },
      to: { path: "^scripts/" },
    },
    {
      name: "scripts-know-support-only",
      severity: "error",
      from: { path: "^scripts/" },
      to: { path: "^test/", pathNot: "^test/support/" },
    },
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
        "agents run the client in browsers and workers: node modules belong to client/node, client/cli and client/mcp",
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
      name: "client-core-is-pure",
      severity: "error",
      from: { path: "^client/core/" },
      to: { path: "^client/", pathNot: "^client/core/" },
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
    home("pg", "^server/stores/postgres/"),
    home("csv-stringify", "^server/admin/"),
    home("express", "^server/(adapters|commands)/"),
    home("pino", "^server/app/"),
    home("prom-client", "^server/metrics/"),
    home("axios", "^client/adapters/axios\\.ts$"),
    home("undici", "^(client/(adapters/undici|cli/proxy)\\.ts$|server/proxy/)"),
    home("find-my-way", "^server/proxy/"),
    home("ipaddr.js", "^server/proxy/"),
    home("jose", "^(server/keys/|client/)"),
    home("ox", "^client/cli/"),
    home("ora", "^client/cli/"),
    home("env-paths", "^client/cli/"),
    home("@inquirer", "^client/cli/"),
    home("@modelcontextprotocol", "^client/mcp/"),
    home("viem", "^(shared/values/evm\\.ts|server/chains/|client/)"),
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
