/** Plays the demo: a refusal, a purchase, ten calls, settlement, refresh, a replay, and a purchase by a stock client. */
import { ExactEvmScheme } from "@x402/evm/exact/client"
import { wrapFetchWithPayment, x402Client } from "@x402/fetch"
import { createPublicClient, http, parseAbi, parseAbiItem } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { createClient } from "../../client/index.ts"
import { tokenHeader } from "../../shared/token-header.ts"
import { formatAmount } from "../../shared/values/amount.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import type { LocalChain } from "../../test/support/chain/local-chain.ts"
import type { Screen } from "../../test/support/screen.ts"
import { playInternal, type Staff } from "./internal.ts"

export type Stage = {
  chain: LocalChain
  url: string
  payTo: `0x${string}`
  network: string
  staff: Staff
}

const price = 10_000n
const purse = 1_000_000n
const films = 10
const usdc = (units: bigint): string => `${formatAmount(units, 6)} USDC`

/** Resolves with a token that is valid for some minutes; throws when a result differs from the promise. */
export async function playDemo(screen: Screen, stage: Stage): Promise<string> {
  const { chain, url, payTo, network } = stage
  const reader = createPublicClient({ transport: http(chain.rpcUrl) })
  const balanceOf = (address: `0x${string}`): Promise<bigint> =>
    reader.readContract({
      address: chain.asset,
      abi: parseAbi(["function balanceOf(address) view returns (uint256)"]),
      functionName: "balanceOf",
      args: [address],
    })
  const agent = privateKeyToAccount(generatePrivateKey())
  const stranger = privateKeyToAccount(generatePrivateKey())
  await Promise.all([chain.mint(agent.address, purse), chain.mint(stranger.address, purse)])
  const takingsBefore = await balanceOf(payTo)
  const firstBlock = await reader.getBlockNumber()

  await screen.step("A request without a token is refused, with the offers", async () => {
    const response = await fetch(`${url}/movies/1`)
    want(response.status === 402, `402, found ${response.status}`)
    const { accepts } = (await response.json()) as { accepts: { amount: string; extra: { offer: string } }[] }
    for (const { amount, extra } of accepts)
      screen.fact("offer", `${extra.offer} for ${usdc(BigInt(amount))}`)
    screen.good("402 Payment Required")
  })

  let payment: string | undefined
  let purchases = 0
  const client = createClient({
    account: agent,
    budget: { perPurchase: "0.05", perDay: "1.00" },
    networks: [network],
    // Keeps the payment of the client, to replay it below.
    fetch(input, init) {
      const request = new Request(input, init)
      payment ??= request.headers.get(paymentSignatureHeader) ?? undefined
      return fetch(request)
    },
    onEvent(event) {
      if (event.type === "purchased") purchases += 1
      if (event.type === "purchased") screen.good(`one signature, one grant; settlement ${event.settlement}`)
      if (event.type === "refreshed")
        screen.good(`the client refreshed its token; settlement ${event.settlement}`)
    },
  })

  await screen.step("An agent with a budget fetches the same film, and pays", async () => {
    const response = await client.fetch(`${url}/movies/1`)
    want(response.status === 200, `200, found ${response.status}`)
    screen.fact("film", ((await response.json()) as { title: string }).title)
  })

  await screen.step(
    `It fetches ${films} films on that one payment, without waiting for a block`,
    async () => {
      for (let film = 1; film <= films; film++) {
        const response = await client.fetch(`${url}/movies/${film}`)
        want(response.status === 200, `200, found ${response.status}`)
        await response.body?.cancel()
      }
      want(purchases === 1, `one purchase, found ${purchases}`)
      const { day } = await client.spent()
      screen.good(`${films} films, ${purchases} payment, ${day} of the day's budget spent`)
    },
  )

  await screen.step("Meanwhile the payment is settled", async () => {
    const log = await poll(async () => {
      const [found] = await reader.getLogs({
        address: chain.asset,
        event: parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 value)"),
        args: { from: agent.address, to: payTo },
        fromBlock: firstBlock,
      })
      return found
    })
    screen.fact("block", `${log.blockNumber} (${log.blockHash})`)
    screen.fact("transaction", log.transactionHash)
    screen.fact("agent", `${usdc(purse)} before, ${usdc(await balanceOf(agent.address))} after`)
    screen.fact("seller", `${usdc(takingsBefore)} before, ${usdc(await balanceOf(payTo))} after`)
    want((await balanceOf(agent.address)) === purse - price, "the price to have left the agent")
  })

  await screen.step("The short first token expires; the next one is a full one", async () => {
    await poll(async () => {
      const response = await client.fetch(`${url}/movies/2`)
      want(response.status === 200, `200, found ${response.status}`)
      await response.body?.cancel()
      return (await client.grants()).find((grant) => grant.settlement === "settled")
    })
    want(purchases === 1, `no second purchase, found ${purchases}`)
  })

  await screen.step("A thief replays the same payment", async () => {
    want(payment !== undefined, "to have seen a payment")
    const response = await fetch(`${url}/token`, {
      method: "POST",
      headers: { [paymentSignatureHeader]: payment ?? "" },
    })
    const body = (await response.json()) as { error: string; error_description: string }
    want(response.status === 409, `409, found ${response.status}`)
    screen.good(`409 ${body.error}`)
  })

  const token = await screen.step(
    "An unmodified x402 client fetches a film, and pays at the route",
    async () => {
      const stock = new x402Client().register("eip155:*", new ExactEvmScheme(stranger)).setSpendControls({
        allowedAssets: [
          { network: network as `${string}:${string}`, asset: chain.asset, maxAmountPerPayment: "50000" },
        ],
      })
      const watched = await wrapFetchWithPayment(fetch, stock)(`${url}/movies/3`)
      want(watched.status === 200, `200, found ${watched.status}`)
      const { title } = (await watched.json()) as { title: string }
      screen.good(`@x402/fetch got "${title}"`)
      const bought = watched.headers.get(tokenHeader) ?? ""
      const next = await fetch(`${url}/movies/4`, { headers: { authorization: `Bearer ${bought}` } })
      want(next.status === 200, `200, found ${next.status}`)
      screen.good("and holds a token for the next ones")
      return bought
    },
  )

  await playInternal(screen, stage)

  await screen.step("The books", async () => {
    const takings = await poll(async () => {
      const received = (await balanceOf(payTo)) - takingsBefore
      return received >= 2n * price ? received : undefined
    })
    want(takings === 2n * price, `${usdc(2n * price)} received, found ${usdc(takings)}`)
    want((await balanceOf(stranger.address)) === purse - price, "the price to have left the stranger")
    screen.good(
      `2 purchases × ${usdc(price)} = ${usdc(takings)} received, difference 0; the internal callers paid nothing`,
    )
  })
  return token
}

function want(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`the demo wanted ${what}`)
}

/** Asks again until an answer comes. */
async function poll<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 300; tries++) {
    const answer = await ask()
    if (answer !== undefined) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error("the demo waited for 30 s without an answer")
}
