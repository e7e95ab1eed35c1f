import { encodeFunctionData } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { aggregators } from "../../server/core/batch.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import { lowerAddress } from "../../shared/values/evm.ts"
import { type LocalChain, startLocalChain } from "../support/chain/local-chain.ts"
import { multicall3 } from "../support/contracts/artifacts/multicall3.ts"
import { testUsdc } from "../support/contracts/artifacts/test-usdc.ts"
import { answers } from "./hostile/answers.ts"
import { challenges } from "./hostile/challenges.ts"
import { controls } from "./hostile/controls.ts"
import { places } from "./hostile/endpoints.ts"
import { identities } from "./hostile/identities.ts"
import { payPerCall } from "./hostile/pay-per-call.ts"
import { prices } from "./hostile/prices.ts"
import { redirects } from "./hostile/redirects.ts"
import { play, type Scenario, type Signed } from "./hostile/scenario.ts"

const key = generatePrivateKey()
const account = privateKeyToAccount(key)
const signed: Signed[] = []
const tally = { scenarios: 0, overspent: 0n, leaks: 0, fair: 0n }

async function check(scenario: Scenario): Promise<void> {
  const report = await play(scenario, account, key)
  signed.push(...report.signed)
  tally.scenarios++
  tally.fair += scenario.fair ?? 0n
  if (report.overspent > 0n) tally.overspent += report.overspent
  tally.leaks += report.leaks.length
  expect(report).toMatchObject({ end: scenario.ends, overspent: 0n, leaks: [] })
}

const tables = { prices, identities, places, redirects, answers, challenges, "pay per call": payPerCall }
for (const [name, scenarios] of Object.entries(tables))
  describe(`hostile ${name}: no overspending, no leak, and every call ends`, () => {
    test.each(scenarios)("$name", check)
  })

describe("control: a fair seller is paid", () => {
  test.each(controls)("$name", check)
})

describe("on chain", () => {
  const chains: LocalChain[] = []
  beforeAll(async () => {
    const started = (["sepolia", "base-sepolia"] as const).map((network) =>
      startLocalChain({ network, blockTimeSeconds: 0, accounts: 1 }),
    )
    chains.push(...(await Promise.all(started)))
  })
  afterAll(() => Promise.all(chains.map((chain) => chain.stop())))

  test("CLI-02: submitting every signature ever made pays the fair prices exactly", async () => {
    let taken = 0n
    for (const chain of chains) taken += await takeAll(chain)
    expect(taken).toBe(tally.fair)
    console.info(
      `hostile servers: ${tally.scenarios} scenarios, overspent ${tally.overspent}, secrets leaked ${tally.leaks}; ` +
        `${taken} units taken on chain, ${tally.fair} of them owed`,
    )
  })
})

/** The amount that leaves the account when every signature for this chain is submitted. */
async function takeAll(chain: LocalChain): Promise<bigint> {
  const funds = 1_000_000_000n
  await chain.mint(account.address, funds)
  const submitter = chain.accounts[0]?.address
  await chain.request("anvil_impersonateAccount", [submitter])
  const call3s = signed
    .filter(({ chainId }) => chainId === chain.chainId)
    .map((transfer) => ({
      target: chain.asset,
      allowFailure: true,
      callData: exactEip3009.settlementCall(chain.asset, { ...transfer, payer: lowerAddress(transfer.payer) })
        .data,
    }))
  const data = encodeFunctionData({ abi: multicall3.abi, functionName: "aggregate3", args: [call3s] })
  const to = aggregators.find(({ name }) => name === "Multicall3")?.address
  const hash = await chain.request("eth_sendTransaction", [{ from: submitter, to, data, gas: "0xf00000" }])
  await chain.request("evm_mine")
  expect(await chain.request("eth_getTransactionReceipt", [hash])).toMatchObject({ status: "0x1" })
  const asked = encodeFunctionData({ abi: testUsdc.abi, functionName: "balanceOf", args: [account.address] })
  return funds - BigInt(String(await chain.request("eth_call", [{ to: chain.asset, data: asked }, "latest"])))
}
