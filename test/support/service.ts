/** A whole service on a local chain, in this process, for flow tests. */
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import express, { type Express } from "express"
import { authorizationServer, gate } from "../../server/adapters/express.ts"
import { createIssuer, type Issuer } from "../../server/app/issuer.ts"
import type { IssuerOptions } from "../../server/app/issuer-options.ts"
import type { ConfigInput } from "../../server/config/config.ts"
import { scopesOf } from "../../server/core/offers.ts"
import { commitmentHeader, secretHeader } from "../../shared/oauth/messages.ts"
import { decodeHeader, encodeHeader } from "../../shared/values/codec.ts"
import { encodeFunctionData, type Hex, parseAbi } from "../../shared/values/evm.ts"
import { openingOf } from "../../shared/x402/commitment.ts"
import { type PaymentRequirements, paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { cancelCall } from "./cancel.ts"
import { type LocalChain, startLocalChain } from "./chain/local-chain.ts"
import { sepoliaId, storedIn } from "./offers.ts"
import { type Account, acceptedOf, randomAccount, randomHex32, signPayment } from "./payments.ts"

export type ServiceOptions = {
  readonly chain?: LocalChain
  /** CAIP-2 id of the network that the chain imitates; default: Sepolia. */
  readonly network?: string
  /** RPC address for the service; default: the chain's own. */
  readonly rpcUrl?: string
  readonly config?: Partial<ConfigInput>
  readonly issuer?: IssuerOptions
  readonly blockTimeSeconds?: number
  /** Makes the application; express 5 when not given. */
  readonly framework?: () => Express
}

export type TestService = {
  readonly chain: LocalChain
  readonly url: string
  readonly folder: string
  readonly payTo: Account
  readonly issuer: Issuer
  readonly app: Express
  readonly config: ConfigInput
  /** The entry of `accepts` for the first offer. */
  readonly accepted: PaymentRequirements
  /** A new account with 1 USDC. */
  customer(usdc?: bigint): Promise<Account>
  /** USDC balance of an address, in atomic units. */
  balanceOf(address: Hex): Promise<bigint>
  close(): Promise<void>
}

export async function openService(options: ServiceOptions = {}): Promise<TestService> {
  const chain = options.chain ?? (await startLocalChain({ blockTimeSeconds: options.blockTimeSeconds ?? 0 }))
  const folder = await mkdtemp(join(tmpdir(), "service-"))
  const payTo = randomAccount()
  const app = (options.framework ?? express)()
  const server: Server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const config: ConfigInput = {
    issuer: url,
    payTo: payTo.address,
    ...storedIn(folder),
    networks: { [options.network ?? sepoliaId]: { rpcUrls: [options.rpcUrl ?? chain.rpcUrl] } },
    offers: [offer("hour", "movies:read", "0.01"), offer("studio", "movies:write", "0.05")],
    limits: {
      perPayer: "1000",
      newPayer: 1000,
      total: "1000",
      requestsPerPeer: 1_000_000,
      requestsPerPayer: 1_000_000,
      requestsPerToken: 1_000_000,
    },
    logLevel: "silent",
    ...options.config,
  }
  const closeAll = async (running?: Issuer) => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await running?.close()
    if (!options.chain) await chain.stop()
    await rm(folder, { recursive: true, force: true })
  }
  const issuer = await createIssuer(config, options.issuer).catch(async (error: unknown) => {
    await closeAll()
    throw error
  })
  await chain.fund(issuer.relayer)
  app.use(authorizationServer(issuer))
  const scopes = scopesOf([...issuer.config.offers, ...issuer.config.whitelist])
  if (scopes.includes("movies:read"))
    app.get("/movies/:id", gate(issuer, "movies:read"), (req, res) => {
      res.json({ id: req.params.id })
    })
  if (scopes.includes("movies:write"))
    app.post("/movies", gate(issuer, "movies:write"), (_req, res) => {
      res.status(201).json({})
    })
  const [first] = issuer.config.offers
  if (!first) throw new Error("the configuration has no offer")

  return {
    chain,
    url,
    folder,
    payTo,
    issuer,
    app,
    config,
    accepted: acceptedOf(first),
    async customer(usdc = 1_000_000n) {
      const account = randomAccount()
      await chain.mint(account.address, usdc)
      return account
    },
    balanceOf: (address) => balanceOf(chain, address),
    close: () => closeAll(issuer),
  }
}

export const offer = (id: string, scope: string, amount: string, network: string = sepoliaId) => ({
  id,
  scope,
  durationSeconds: 3600,
  prices: [{ network, asset: "USDC", amount }],
})

async function balanceOf(chain: LocalChain, address: Hex): Promise<bigint> {
  const data = `0x70a08231${address.slice(2).toLowerCase().padStart(64, "0")}`
  return BigInt((await chain.request("eth_call", [{ to: chain.asset, data }, "latest"])) as string)
}

/** Moves the whole balance away in a transaction of the payer, which comes before any other in its block. */
export async function emptyBalance({ chain }: Pick<TestService, "chain">, account: Account): Promise<void> {
  const data = encodeFunctionData({
    abi: parseAbi(["function transfer(address to, uint256 value)"]),
    args: [`0x${"d".repeat(40)}`, await balanceOf(chain, account.address)],
  })
  await sendFirst(chain, account, data)
  if ((await balanceOf(chain, account.address)) !== 0n) throw new Error("the account still holds USDC")
}

/** Cancels a payment in a transaction of the payer, which comes before any other in its block: the payment has failed. */
export async function cancelPayment(
  { chain }: Pick<TestService, "chain">,
  account: Account,
  headers: Record<string, string>,
): Promise<void> {
  const { payload } = decodeHeader(headers[paymentSignatureHeader] ?? "") as SignedHeader
  await sendFirst(chain, account, await cancelCall({ chain }, account, payload.authorization.nonce))
}

type SignedHeader = { readonly payload: { readonly authorization: { readonly nonce: Hex } } }

/** The first transaction of the account. */
async function sendFirst(chain: LocalChain, account: Account, data: Hex): Promise<void> {
  await chain.fund(account.address)
  const raw = await account.signTransaction({
    type: "eip1559",
    chainId: chain.chainId,
    nonce: 0,
    to: chain.asset,
    data,
    gas: 200_000n,
    maxFeePerGas: 200_000_000_000n,
    maxPriorityFeePerGas: 100_000_000_000n,
  })
  await chain.request("eth_sendRawTransaction", [raw])
  await chain.request("evm_mine", [])
}

/** Submits a signed transfer on chain, bypassing the service. Resolves to the hash of the transaction. */
export async function submitByStranger(chain: LocalChain, data: Hex): Promise<Hex> {
  const from = randomAccount().address
  await chain.fund(from)
  await chain.request("anvil_impersonateAccount", [from])
  return (await chain.request("eth_sendTransaction", [
    { from, to: chain.asset, data, gas: "0x493e0" },
  ])) as Hex
}

/** Without new blocks nothing settles, so accepted payments stay open. */
export async function withoutBlocks<T>(chain: LocalChain, work: () => Promise<T>): Promise<T> {
  await chain.request("evm_setAutomine", [false])
  try {
    return await work()
  } finally {
    await chain.request("anvil_mine", ["0x1"])
    await chain.request("evm_setAutomine", [true])
  }
}

export type Purchase = Awaited<ReturnType<typeof signPayment>> & {
  readonly secret: Hex
  readonly headers: Record<string, string>
}

/** A payment with commitment, ready to be posted. */
export async function preparePurchase(
  service: Pick<TestService, "accepted" | "url">,
  account: Account,
  changes: Partial<Parameters<typeof signPayment>[0]> = {},
): Promise<Purchase> {
  const secret = changes.secret ?? randomHex32()
  const signed = await signPayment({
    accepted: service.accepted,
    account,
    secret,
    resource: service.url,
    ...changes,
  })
  const headers = {
    [paymentSignatureHeader]: encodeHeader(signed.payload),
    [commitmentHeader]: openingOf(secret),
  }
  return { ...signed, secret, headers }
}

/** The headers of a proven retry. */
export const retryHeaders = (purchase: Purchase): Record<string, string> => ({
  [paymentSignatureHeader]: encodeHeader(purchase.payload),
  [secretHeader]: purchase.secret,
})

// biome-ignore lint/suspicious/noExplicitAny: bodies are looked into freely in tests
export type Answer = { status: number; headers: Headers; body: any }

export async function postToken(
  url: string,
  headers: Record<string, string>,
  body?: string,
): Promise<Answer> {
  return read(await fetch(`${url}/token`, { method: "POST", headers, ...(body !== undefined && { body }) }))
}

export const refresh = (
  url: string,
  refreshToken: string,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  postToken(
    url,
    { "content-type": "application/x-www-form-urlencoded", ...headers },
    new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken }).toString(),
  )

export const askStatus = async (url: string, headers: Record<string, string>): Promise<Answer> =>
  read(await fetch(`${url}/token/status`, { headers }))

export const watch = async (url: string, token?: string, path = "/movies/1"): Promise<Answer> =>
  read(
    await fetch(`${url}${path}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    }),
  )

/** Seconds for which the token of an answer was issued; expires_in may be up to 2 s less, never more. */
export function lifeOf({ access_token, expires_in }: { access_token: string; expires_in: number }): number {
  const { iat, exp } = JSON.parse(Buffer.from(access_token.split(".")[1] ?? "", "base64url").toString())
  const life = exp - iat
  if (expires_in > life || expires_in < life - 2)
    throw new Error(`expires_in is ${expires_in}, the token lives ${life} s`)
  return life
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? undefined : JSON.parse(text),
  }
}

/** Polls until an answer is accepted; throws after `seconds` with the last answer. */
export async function eventually<T>(
  ask: () => Promise<T>,
  accepts: (answer: T) => boolean,
  seconds = 15,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (accepts(answer)) return answer
    if (Date.now() > deadline)
      throw new Error(`no accepted answer within ${seconds} s; the last: ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
