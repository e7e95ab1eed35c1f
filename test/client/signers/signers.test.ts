import { inspect } from "node:util"
import { createWalletClient, custom } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { afterEach, expect, test } from "vitest"
import {
  createProviderSigner,
  createRemoteSigner,
  type Provider,
  type Signer,
} from "../../../client/index.ts"
import { buyer, failure, setup, startedAt } from "../../support/client-setup.ts"
import { openSigner } from "../../support/remote-signer.ts"

type Call = { method: string; params?: unknown }

/** A wallet that signs `eth_signTypedData_v4` for its current chain only, as MetaMask does. */
function wallet(chain = "0xaa36a7") {
  const account = privateKeyToAccount(generatePrivateKey())
  const calls: Call[] = []
  const state = { chain, format: (signature: string) => signature, refuse: undefined as unknown }
  const provider: Provider = {
    async request({ method, params }) {
      calls.push({ method, ...(params !== undefined && { params }) })
      if (method === "eth_requestAccounts") return [account.address]
      if (method === "eth_chainId") return state.chain
      if (state.refuse !== undefined) throw state.refuse
      const given = params as readonly unknown[]
      if (method === "wallet_switchEthereumChain") {
        state.chain = (given[0] as { chainId: string }).chainId
        return null
      }
      const [address, json] = given as [string, string]
      const typed = JSON.parse(json)
      if (address.toLowerCase() !== account.address.toLowerCase())
        throw new Error("expected the wallet's own account")
      if (typed.domain.chainId !== Number(state.chain)) throw new Error("expected the wallet's current chain")
      return state.format(await account.signTypedData(typed))
    },
  }
  return { account, calls, provider, state, methods: () => calls.map(({ method }) => method) }
}

const paying = async (signer: Signer) => {
  const clock = { now: startedAt }
  const { seller } = await setup()
  return { seller, call: buyer(clock, { account: signer }).client.fetch(`${seller.url}/movies/7`) }
}

test("a wallet's account pays with the typed data that it displayed", async () => {
  const { account, provider, calls, methods } = wallet()
  const signer = await createProviderSigner(provider)
  const { seller, call } = await paying(signer)
  expect((await call).status).toBe(200)
  expect(seller.transfers).toMatchObject([{ payer: account.address.toLowerCase(), value: 10_000n }])
  expect(methods()).toEqual(["eth_requestAccounts", "eth_chainId", "eth_signTypedData_v4"])
  const shown = JSON.parse((calls[2]!.params as string[])[1]!)
  expect(Object.keys(shown.types)).toEqual(["EIP712Domain", "TransferWithAuthorization"])
  expect(shown.message).toMatchObject({
    from: account.address.toLowerCase(),
    value: "10000",
    validAfter: "0",
  })
})

test("a wallet on another chain is switched before it signs", async () => {
  const { provider, calls } = wallet("0x1")
  const { call } = await paying(await createProviderSigner(provider))
  expect((await call).status).toBe(200)
  expect(calls[2]).toEqual({ method: "wallet_switchEthereumChain", params: [{ chainId: "0xaa36a7" }] })
})

test("a wallet is not asked for accounts when the address is given", async () => {
  const { account, provider, methods } = wallet()
  const { call } = await paying(await createProviderSigner(provider, { address: account.address }))
  expect((await call).status).toBe(200)
  expect(methods()).not.toContain("eth_requestAccounts")
})

test("non-canonical wallet signatures are normalised before sending", async () => {
  const { provider, state } = wallet()
  const signer = await createProviderSigner(provider)
  // v of 0 or 1, and upper case.
  state.format = (signature) => {
    const v = signature.endsWith("1b") ? "00" : "01"
    return `0x${signature.slice(2, -2).toUpperCase()}${v}`
  }
  const { seller, call } = await paying(signer)
  expect((await call).status).toBe(200)
  expect(seller.transfers[0]?.signature).toMatch(/^0x[0-9a-f]{128}1[bc]$/)
})

test.each([
  [{ code: 4001, message: "User rejected: key 0xsecret" }, "user_rejected"],
  [{ code: 4902 }, "unknown_chain"],
  [new Error("0xsecret"), "wallet_failed"],
])("CLI-20: a wallet's error becomes a typed refusal without its text", async (thrown, reason) => {
  const { provider, state } = wallet()
  const signer = await createProviderSigner(provider)
  state.refuse = thrown
  const { seller, call } = await paying(signer)
  const error = await failure(call)
  expect(error).toMatchObject({ code: "signing_failed", action: "stop", reason })
  expect(inspect(error, { depth: Infinity })).not.toContain("secret")
  expect(seller.requestsTo("POST /token")).toEqual([])
})

test("a signature by another account, or an empty one, is never sent", async () => {
  for (const format of [() => "0x", () => "", () => `0x${"11".repeat(65)}`]) {
    const { provider, state } = wallet()
    const signer = await createProviderSigner(provider)
    state.format = format
    const { seller, call } = await paying(signer)
    expect((await failure(call)).code).toBe("signing_failed")
    expect(seller.requestsTo("POST /token")).toEqual([])
  }
})

test("viem's wallet client works as a provider", async () => {
  const { provider, account } = wallet()
  const client = createWalletClient({ transport: custom(provider) })
  const signer = await createProviderSigner(client)
  expect(signer.address).toBe(account.address.toLowerCase())
})

const open: { close(): unknown }[] = []
afterEach(() => {
  for (const server of open.splice(0)) server.close()
})

async function service(answer?: Parameters<typeof openSigner>[0]) {
  const signer = await openSigner(answer)
  open.push(signer)
  return signer
}

test("a remote signer pays, and its credentials are sent to it alone", async () => {
  const { account, seen, url } = await service()
  const headers = { authorization: "Bearer of-the-signer" }
  const { seller, call } = await paying(createRemoteSigner({ url, address: account.address, headers }))
  expect((await call).status).toBe(200)
  expect(seen).toMatchObject([{ method: "eth_signTypedData_v4", headers }])
  expect(JSON.stringify(seller.requests)).not.toContain("of-the-signer")
})

test("CLI-04: a remote signer's redirect is not followed", async () => {
  const thief = await service()
  const { account, url } = await service({ status: 307, headers: { location: thief.url } })
  const { seller, call } = await paying(createRemoteSigner({ url, address: account.address }))
  expect(await failure(call)).toMatchObject({ code: "signing_failed", reason: "signer_refused" })
  expect(thief.seen).toEqual([])
  expect(seller.requestsTo("POST /token")).toEqual([])
})

test.each([
  [
    "a JSON-RPC error",
    { body: '{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"0xsecret"}}' },
    "signer_refused",
  ],
  ["no JSON", { body: "0xsecret" }, "signer_malformed"],
  ["an oversized body", { body: `"${"0".repeat(70_000)}"` }, "signer_malformed"],
  ["status 500", { status: 500, body: "0xsecret" }, "signer_refused"],
])(
  "CLI-20: a remote signer's answer with %s is a typed refusal without its text",
  async (_, answer, reason) => {
    const { account, url } = await service(answer)
    const { call } = await paying(createRemoteSigner({ url, address: account.address }))
    const error = await failure(call)
    expect(error).toMatchObject({ code: "signing_failed", reason })
    expect(inspect(error, { depth: Infinity })).not.toContain("secret")
  },
)

test("an unreachable remote signer may be retried", async () => {
  const { address } = privateKeyToAccount(generatePrivateKey())
  const { call } = await paying(createRemoteSigner({ url: "http://127.0.0.1:9/", address }))
  expect(await failure(call)).toMatchObject({ reason: "signer_unreachable", action: "retry" })
})

test.each([
  ["http://signer.example/", "insecure_url"],
  ["https://user:pass@signer.example/", "option_invalid"],
  ["signer", "option_invalid"],
])("CLI-22: a remote signer at %s is refused", (url, code) => {
  const { address } = privateKeyToAccount(generatePrivateKey())
  expect(() => createRemoteSigner({ url, address })).toThrow(expect.objectContaining({ code }))
  expect(() => createRemoteSigner({ url: "https://signer.example", address: "0x1" })).toThrow(
    /option address/,
  )
})
