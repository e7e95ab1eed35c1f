import { fileURLToPath } from "node:url"
import ts from "typescript"
import { beforeAll, describe, expect, it } from "vitest"
import packageJson from "../package.json" with { type: "json" }

const entries = {
  "ticket402/server": "server/index.ts",
  "ticket402/server/express": "server/adapters/express.ts",
  "ticket402/client": "client/index.ts",
  "ticket402/client/axios": "client/adapters/axios.ts",
  "ticket402/client/undici": "client/adapters/undici.ts",
  "ticket402/client/node": "client/node/index.ts",
  "ticket402/client/x402": "client/adapters/x402.ts",
  "ticket402/shared": "shared/index.ts",
} as const
const fileOf = (entry: keyof typeof entries) =>
  fileURLToPath(new URL(`../${entries[entry]}`, import.meta.url))

let program: ts.Program
beforeAll(() => {
  program = ts.createProgram({
    rootNames: Object.keys(entries).map((entry) => fileOf(entry as keyof typeof entries)),
    options: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      allowImportingTsExtensions: true,
      noEmit: true,
      skipLibCheck: true,
    },
  })
})

/** Every public name of an entry point; names without a run-time value start with `type`. */
function namesOf(entry: keyof typeof entries): string[] {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(fileOf(entry))
  const module = source && checker.getSymbolAtLocation(source)
  if (!module) throw new Error(`${entry} is no module`)
  return checker
    .getExportsOfModule(module)
    .map((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
      return target.flags & ts.SymbolFlags.Value ? symbol.name : `type ${symbol.name}`
    })
    .sort()
}

describe("the public exports", () => {
  it("match the exports of package.json", () => {
    const built = Object.entries(entries).map(([name, file]) => [
      name.replace("ticket402", "."),
      `./dist/${file.replace(/\.ts$/, ".js")}`,
    ])
    const exported = Object.entries(packageJson.exports).flatMap(([name, entry]) =>
      typeof entry === "string" ? [] : [[name, entry.default]],
    )
    const noEntry = [".", "./dist/shared/no-entry.js"]
    expect(new Map([noEntry, ...built] as [string, string][])).toEqual(
      new Map(exported as [string, string][]),
    )
    // For projects whose compiler reads no exports.
    const older = Object.entries(packageJson.typesVersions["*"]).map(([name, [file]]) => [name, file])
    const types = Object.entries(packageJson.exports).flatMap(([name, entry]) =>
      typeof entry === "string" || name === "." ? [] : [[name.slice(2), entry.types]],
    )
    expect(older).toEqual(types)
  })

  it("are listed by an import of plain ticket402, which has none of its own", async () => {
    const error = await import("../shared/no-entry.ts").catch((failure: Error) => failure)
    const listed = (error as Error).message.match(/ticket402\/[a-z0-9/]+/g)
    expect(listed).toEqual(Object.keys(entries).sort())
  })

  it("of ticket402/server", () => {
    expect(namesOf("ticket402/server")).toMatchInlineSnapshot(`
      [
        "ConfigError",
        "KeyFileError",
        "adminHandler",
        "createIssuer",
        "createProxy",
        "type AdminHandler",
        "type BeforeSale",
        "type ConfigInput",
        "type EventHandler",
        "type Issuer",
        "type IssuerOptions",
        "type LedgerEvent",
        "type Logger",
        "type PriceFunction",
        "type PriceFunctions",
        "type PriceQuestion",
        "type ProxyContext",
        "type ProxyHooks",
        "type ProxyListener",
        "type ProxyOptions",
        "type Sale",
        "type SaleDecision",
        "type Signer",
        "type Subscribe",
        "type SubscribeOptions",
        "type Subscription",
        "type UpstreamAnswer",
        "type UpstreamRequest",
      ]
    `)
  })

  it("of ticket402/server/express", () => {
    expect(namesOf("ticket402/server/express")).toMatchInlineSnapshot(`
      [
        "adminAddress",
        "authorizationServer",
        "gate",
        "hardServerOptions",
        "hardenServer",
        "type GateOptions",
        "type HardenOptions",
        "type TokenClaims",
      ]
    `)
  })

  it("of ticket402/client", () => {
    expect(namesOf("ticket402/client")).toMatchInlineSnapshot(`
      [
        "BudgetRefusal",
        "PolicyRefusal",
        "Ticket402Error",
        "createClient",
        "createMemoryStore",
        "createProviderSigner",
        "createRemoteSigner",
        "createVerifier",
        "installFetch",
        "type ApprovalReason",
        "type Approve",
        "type Balances",
        "type BudgetRule",
        "type CallPlans",
        "type Client",
        "type ClientEvent",
        "type ClientOptions",
        "type ClientStore",
        "type Derive",
        "type DeriveOptions",
        "type DerivedToken",
        "type DryRun",
        "type DryRunCall",
        "type ErrorDetail",
        "type Fetch",
        "type FetchReceipt",
        "type GrantSummary",
        "type InstallOptions",
        "type PolicyRule",
        "type Provider",
        "type PurchaseTerms",
        "type Receipt",
        "type RemoteSignerOptions",
        "type SignedReceipt",
        "type Signer",
        "type Spent",
        "type Ticket402ErrorCode",
        "type TokenVerdict",
        "type TopUp",
        "type Verifier",
        "type VerifierOptions",
        "verifyReceipt",
      ]
    `)
  })

  it("of ticket402/client/x402", () => {
    expect(namesOf("ticket402/client/x402")).toMatchInlineSnapshot(`
      [
        "tokenHook",
        "type TokenHook",
        "type TokenHookOptions",
      ]
    `)
  })

  it("of ticket402/client/node", () => {
    expect(namesOf("ticket402/client/node")).toMatchInlineSnapshot(`
      [
        "createFileStore",
        "type FileStore",
        "type FileStoreOptions",
      ]
    `)
  })

  it("of ticket402/client/axios", () => {
    expect(namesOf("ticket402/client/axios")).toMatchInlineSnapshot(`
      [
        "createAdapter",
      ]
    `)
  })

  it("of ticket402/client/undici", () => {
    expect(namesOf("ticket402/client/undici")).toMatchInlineSnapshot(`
      [
        "createDispatcher",
        "type DispatcherOptions",
      ]
    `)
  })

  it("of ticket402/shared", () => {
    expect(namesOf("ticket402/shared")).toMatchInlineSnapshot(`
      [
        "AmountError",
        "commitmentNonce",
        "decodeHeader",
        "encodeHeader",
        "formatAmount",
        "gateRefusals",
        "networks",
        "openingOf",
        "parseAmount",
        "parseAtomic",
        "refusals",
        "schemes",
        "type AssetInfo",
        "type ErrorBody",
        "type NetworkInfo",
        "type NextAction",
        "type Scheme",
        "type SignedTransfer",
        "type TypedDataSigner",
      ]
    `)
  })
})
