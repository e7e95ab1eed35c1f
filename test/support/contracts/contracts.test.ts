import { readFileSync } from "node:fs"
import type { Address, Hex } from "viem"
import {
  createPublicClient,
  createWalletClient,
  decodeAbiParameters,
  domainSeparator,
  encodeDeployData,
  encodeFunctionData,
  erc20Abi,
  http,
  keccak256,
  parseEventLogs,
  parseSignature,
  serializeCompactSignature,
  signatureToCompactSignature,
  toFunctionSelector,
  zeroHash,
} from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { sepolia } from "viem/chains"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import {
  intakeReadAbi,
  intakeReadCode,
  intakeReadResult,
} from "../../../server/chains/contracts/intake-read.ts"
import type { LocalChain } from "../chain/local-chain.ts"
import { startLocalChain } from "../chain/local-chain.ts"
import { assetAdmin, putCode } from "../chain/test-asset.ts"
import { testProxy } from "./artifacts/test-proxy.ts"
import { testUsdc } from "./artifacts/test-usdc.ts"
import { compileContracts, generatedFiles } from "./compile.ts"

const { abi } = testUsdc
const asset: Address = "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238"
const domain = { name: "USDC", version: "2", chainId: 11155111, verifyingContract: asset } as const
const never = 2n ** 256n - 1n
// The group order of secp256k1: s and order - s are the two forms of one signature.
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

const fields = [
  { name: "from", type: "address" },
  { name: "to", type: "address" },
  { name: "value", type: "uint256" },
  { name: "validAfter", type: "uint256" },
  { name: "validBefore", type: "uint256" },
  { name: "nonce", type: "bytes32" },
] as const
const cancelFields = [
  { name: "authorizer", type: "address" },
  { name: "nonce", type: "bytes32" },
] as const

type Authorization = {
  from: Address
  to: Address
  value: bigint
  validAfter: bigint
  validBefore: bigint
  nonce: Hex
}
type SignatureParts = { v: number; r: Hex; s: Hex }

let chain: LocalChain
let payer: ReturnType<typeof privateKeyToAccount>
let relayer: ReturnType<typeof privateKeyToAccount>
let payTo: Address
let snapshot: unknown

beforeAll(async () => {
  chain = await startLocalChain({ blockTimeSeconds: 0 })
  payer = privateKeyToAccount(chain.accounts[0]!.privateKey)
  relayer = privateKeyToAccount(chain.accounts[1]!.privateKey)
  payTo = chain.accounts[2]!.address
})
afterAll(() => chain?.stop())
beforeEach(async () => {
  snapshot = await chain.request("evm_snapshot")
})
afterEach(async () => {
  await chain.request("evm_revert", [snapshot])
})

const reader = () =>
  createPublicClient({ chain: sepolia, transport: http(chain.rpcUrl), pollingInterval: 20 })
const writer = () => createWalletClient({ account: relayer, chain: sepolia, transport: http(chain.rpcUrl) })

function authorization(change: Partial<Authorization> = {}): Authorization {
  const nonce = generatePrivateKey()
  return {
    from: payer.address,
    to: payTo,
    value: 10_000n,
    validAfter: 0n,
    validBefore: never,
    nonce,
    ...change,
  }
}

type Verb = "TransferWithAuthorization" | "ReceiveWithAuthorization"

function sign(message: Authorization, primaryType: Verb = "TransferWithAuthorization"): Promise<Hex> {
  return payer.signTypedData({ domain, types: { [primaryType]: fields }, primaryType, message })
}

function signCancel(nonce: Hex): Promise<Hex> {
  const message = { authorizer: payer.address, nonce }
  const types = { CancelAuthorization: cancelFields }
  return payer.signTypedData({ domain, types, primaryType: "CancelAuthorization", message })
}

function valuesOf({ from, to, value, validAfter, validBefore, nonce }: Authorization) {
  return [from, to, value, validAfter, validBefore, nonce] as const
}

function bytesCall(message: Authorization, signature: Hex): Hex {
  const args = [...valuesOf(message), signature] as const
  return encodeFunctionData({ abi, functionName: "transferWithAuthorization", args })
}

function vrsCall(message: Authorization, { v, r, s }: SignatureParts): Hex {
  const args = [...valuesOf(message), v, r, s] as const
  return encodeFunctionData({ abi, functionName: "transferWithAuthorization", args })
}

function partsOf(signature: Hex): SignatureParts {
  const { r, s, yParity } = parseSignature(signature)
  return { v: 27 + yParity, r, s }
}

function bytesOf({ v, r, s }: SignatureParts): Hex {
  return `${r}${s.slice(2)}${v.toString(16).padStart(2, "0")}`
}

async function signed(change: Partial<Authorization> = {}): Promise<{ message: Authorization; data: Hex }> {
  const message = authorization(change)
  return { message, data: bytesCall(message, await sign(message)) }
}

async function send(data: Hex) {
  const hash = await writer().sendTransaction({ to: asset, data, gas: 300_000n })
  return reader().waitForTransactionReceipt({ hash })
}

/** The revert reason of a call, or undefined if the call would succeed. */
async function refusal(data: Hex, account: Address = relayer.address): Promise<string | undefined> {
  try {
    await reader().call({ account, to: asset, data })
    return undefined
  } catch (error) {
    return String(error)
  }
}

async function eventsOf(data: Hex): Promise<string[]> {
  const { logs } = await send(data)
  return parseEventLogs({ abi, logs }).map((log) => log.eventName)
}

function setting(functionName: "pause" | "unpause"): Hex {
  return encodeFunctionData({ abi, functionName })
}

function state(nonce: Hex): Promise<boolean> {
  const args = [payer.address, nonce] as const
  return reader().readContract({ address: asset, abi, functionName: "authorizationState", args })
}

function balance(address: Address): Promise<bigint> {
  return reader().readContract({ address: asset, abi, functionName: "balanceOf", args: [address] })
}

async function intakeRead(message: Authorization, transferCall: Hex, token: Address = asset) {
  const call = { functionName: "authorizationState", args: [message.from, message.nonce] } as const
  const used = { to: token, data: encodeFunctionData({ abi, ...call }) }
  const args = [token, message.from, message.to, used, { to: token, data: transferCall }] as const
  const data = encodeDeployData({ abi: intakeReadAbi, bytecode: intakeReadCode, args })
  const answer = (await chain.request("eth_call", [{ data }, "pending"])) as Hex
  const values = decodeAbiParameters(intakeReadResult, answer)
  return {
    payerCode: values[0],
    balance: values[1],
    used: values[2] !== 0n,
    transferred: values[3],
    received: values[4],
    blockNumber: values[5],
    blockTime: values[6],
  }
}

async function placeCode(address: Address, code: Hex): Promise<void> {
  await chain.request("anvil_setCode", [address, code])
}

// Answers every call with ERC-1271's magic value.
const acceptingWallet: Hex = "0x631626ba7e60e01b5f5260205ff3"

test("the committed artifacts equal the compiled sources", () => {
  for (const { url, text } of generatedFiles(compileContracts())) {
    expect(readFileSync(url, "utf8"), url.pathname).toBe(text)
  }
})

test("the test asset has the selectors of FiatToken", () => {
  const selectors = new Set(
    abi.filter((item) => item.type === "function").map((item) => toFunctionSelector(item)),
  )
  const expected = {
    "transferWithAuthorization, v r s": "0xe3ee160e",
    "transferWithAuthorization, bytes": "0xcf092995",
    "receiveWithAuthorization, v r s": "0xef55bec6",
    "receiveWithAuthorization, bytes": "0x88b7ab63",
    "cancelAuthorization, v r s": "0x5a049a70",
    "cancelAuthorization, bytes": "0xb7b72899",
    authorizationState: "0xe94a0102",
  }
  for (const [name, selector] of Object.entries(expected)) expect(selectors, name).toContain(selector)
})

test("the test asset has the name, version and domain of Sepolia's USDC", async () => {
  const read = { address: asset, abi } as const
  expect(await reader().readContract({ ...read, functionName: "name" })).toBe("USDC")
  expect(await reader().readContract({ ...read, functionName: "symbol" })).toBe("USDC")
  expect(await reader().readContract({ ...read, functionName: "version" })).toBe("2")
  expect(await reader().readContract({ ...read, functionName: "decimals" })).toBe(6)
  const separator = await reader().readContract({ ...read, functionName: "DOMAIN_SEPARATOR" })
  expect(separator).toBe(domainSeparator({ domain }))
})

test("a payment emits AuthorizationUsed and then Transfer, in both overloads", async () => {
  const first = authorization()
  expect(await eventsOf(bytesCall(first, await sign(first)))).toEqual(["AuthorizationUsed", "Transfer"])
  const second = authorization()
  const data = vrsCall(second, partsOf(await sign(second)))
  const { logs } = await send(data)
  const [used, transfer] = parseEventLogs({ abi, logs })
  expect(used).toMatchObject({ eventName: "AuthorizationUsed", args: { nonce: second.nonce } })
  expect(transfer).toMatchObject({
    eventName: "Transfer",
    args: { from: payer.address, to: payTo, value: 10_000n },
  })
  expect(await state(second.nonce)).toBe(true)
  expect(await refusal(data)).toContain("FiatTokenV2: authorization is used or canceled")
})

test("a payment takes the gas of Circle's contract behind its proxy, to three percent", async () => {
  const [first, next] = [await signed(), await signed()]
  await send(first.data)
  const { gasUsed } = await send(next.data)
  expect(Math.abs(Number(gasUsed) / 86_212 - 1)).toBeLessThan(0.03)
})

test("only the admin upgrades the asset, and the admin reaches nothing behind the proxy", async () => {
  const implementation = privateKeyToAccount(generatePrivateKey()).address
  const upgrade = encodeFunctionData({
    abi: testProxy.abi,
    functionName: "upgradeTo",
    args: [implementation],
  })
  expect(await refusal(upgrade, assetAdmin)).toContain("Cannot set a proxy implementation to a non-contract")
  await putCode(chain.request, implementation, testUsdc.bytecode)
  expect(await refusal(upgrade, assetAdmin)).toBeUndefined()
  expect(await refusal(upgrade, relayer.address)).toContain("execution reverted")
  expect(await refusal(setting("pause"), assetAdmin)).toContain(
    "Cannot call fallback function from the proxy admin",
  )
})

test("the test asset accepts exactly one of the four forms of a signature", async () => {
  const message = authorization()
  const { v, r, s } = partsOf(await sign(message))
  const twin = `0x${(order - BigInt(s)).toString(16).padStart(64, "0")}` as const
  const flipped = 27 + 28 - v
  const spellings: SignatureParts[] = [
    { v, r, s },
    { v: v - 27, r, s },
    { v: flipped, r, s: twin },
    { v: flipped - 27, r, s: twin },
  ]
  const byVrs = await Promise.all(spellings.map((each) => refusal(vrsCall(message, each))))
  const byBytes = await Promise.all(spellings.map((each) => refusal(bytesCall(message, bytesOf(each)))))
  for (const [accepted, ...refused] of [byVrs, byBytes]) {
    expect(accepted).toBeUndefined()
    for (const reason of refused) expect(reason).toContain("FiatTokenV2: invalid signature")
  }
})

test("a signature whose length is not 65 bytes is refused", async () => {
  const message = authorization()
  const signature = await sign(message)
  const compact = serializeCompactSignature(signatureToCompactSignature(parseSignature(signature)))
  for (const other of [compact, `${signature}00`, signature.slice(0, -2), "0x"] as Hex[]) {
    expect(await refusal(bytesCall(message, other))).toContain("FiatTokenV2: invalid signature")
  }
})

test("an authorization is valid strictly between its two times", async () => {
  const { timestamp } = await reader().getBlock()
  const passes = async (validAfter: bigint, validBefore: bigint) =>
    refusal((await signed({ validAfter, validBefore })).data)
  expect(await passes(timestamp - 1n, timestamp + 1n)).toBeUndefined()
  expect(await passes(timestamp, timestamp + 1n)).toContain("FiatTokenV2: authorization is not yet valid")
  expect(await passes(timestamp - 1n, timestamp)).toContain("FiatTokenV2: authorization is expired")
})

test("bit 47 does not turn the times into block numbers", async () => {
  const flag = 2n ** 47n
  const { data } = await signed({ validAfter: flag, validBefore: flag + 1_000_000n })
  expect(await refusal(data)).toContain("FiatTokenV2: authorization is not yet valid")
})

test("only the payee can call receiveWithAuthorization, in both overloads", async () => {
  const message = authorization()
  const signature = await sign(message, "ReceiveWithAuthorization")
  const { v, r, s } = partsOf(signature)
  const functionName = "receiveWithAuthorization"
  const calls = [
    encodeFunctionData({ abi, functionName, args: [...valuesOf(message), signature] }),
    encodeFunctionData({ abi, functionName, args: [...valuesOf(message), v, r, s] }),
  ]
  for (const data of calls) {
    expect(await refusal(data)).toContain("FiatTokenV2: caller must be the payee")
    expect(await refusal(data, payTo)).toBeUndefined()
  }
  expect(await refusal(bytesCall(message, signature))).toContain("FiatTokenV2: invalid signature")
})

test("a cancelled authorization reads as used and cannot be paid, in both overloads", async () => {
  for (const overload of ["bytes", "v r s"]) {
    const { message, data } = await signed()
    const signature = await signCancel(message.nonce)
    const { v, r, s } = partsOf(signature)
    const functionName = "cancelAuthorization"
    const cancel =
      overload === "bytes"
        ? encodeFunctionData({ abi, functionName, args: [payer.address, message.nonce, signature] })
        : encodeFunctionData({ abi, functionName, args: [payer.address, message.nonce, v, r, s] })
    expect(await eventsOf(cancel)).toEqual(["AuthorizationCanceled"])
    expect(await state(message.nonce)).toBe(true)
    expect(await refusal(data)).toContain("FiatTokenV2: authorization is used or canceled")
  }
})

test("a silent asset accepts a used nonce with status 1 and without a Transfer", async () => {
  const { data } = await signed()
  await send(data)
  await send(encodeFunctionData({ abi, functionName: "setSilent", args: [true] }))
  const before = await balance(payTo)
  const receipt = await send(data)
  expect(receipt.status).toBe("success")
  expect(parseEventLogs({ abi, logs: receipt.logs }).map((log) => log.eventName)).toEqual([
    "AuthorizationAlreadyUsed",
  ])
  expect(await balance(payTo)).toBe(before)
})

test("a paused asset transfers nothing, and transfers again when unpaused", async () => {
  const { data } = await signed()
  const plain = encodeFunctionData({ abi: erc20Abi, functionName: "transfer", args: [payTo, 1n] })
  await send(setting("pause"))
  expect(await refusal(data)).toContain("Pausable: paused")
  expect(await refusal(plain, payer.address)).toContain("Pausable: paused")
  await send(setting("unpause"))
  expect(await refusal(data)).toBeUndefined()
  expect(await refusal(plain, payer.address)).toBeUndefined()
})

test("a blacklisted payer or payee is refused until removed from the list", async () => {
  const { data } = await signed()
  for (const account of [payer.address, payTo]) {
    await send(encodeFunctionData({ abi, functionName: "blacklist", args: [account] }))
    expect(await refusal(data)).toContain("Blacklistable: account is blacklisted")
    await send(encodeFunctionData({ abi, functionName: "unBlacklist", args: [account] }))
    expect(await refusal(data)).toBeUndefined()
  }
})

test("a payer with code is checked by ERC-1271 only, whatever key signed", async () => {
  const { message, data } = await signed()
  await placeCode(payer.address, "0x00")
  expect(await refusal(data)).toContain("FiatTokenV2: invalid signature")
  await placeCode(payer.address, acceptingWallet)
  expect(await refusal(bytesCall(message, "0x"))).toBeUndefined()
})

test("the intake read confirms a valid payment, moves nothing, and names its block", async () => {
  const { message, data } = await signed()
  const pending = await reader().getBlock({ blockTag: "pending" })
  const read = await intakeRead(message, data)
  expect(read).toMatchObject({ payerCode: zeroHash, balance: 1_000_000_000n, used: false })
  expect(read).toMatchObject({ transferred: true, received: 10_000n, blockNumber: pending.number })
  expect(Number(read.blockTime - pending.timestamp)).toBeLessThanOrEqual(1)
  expect(await state(message.nonce)).toBe(false)
  expect(await balance(payer.address)).toBe(1_000_000_000n)
})

test("the intake read reports an insufficient balance", async () => {
  const { message, data } = await signed()
  await send((await signed({ value: 1_000_000_000n - 9_999n })).data)
  const read = await intakeRead(message, data)
  expect(read).toMatchObject({ balance: 9_999n, used: false, transferred: false, received: 0n })
})

test("the intake read reports a used nonce, also if the asset is silent about it", async () => {
  const { message, data } = await signed()
  await send(data)
  expect(await intakeRead(message, data)).toMatchObject({ used: true, transferred: false, received: 0n })
  await send(encodeFunctionData({ abi, functionName: "setSilent", args: [true] }))
  expect(await intakeRead(message, data)).toMatchObject({ used: true, transferred: true, received: 0n })
})

test("the intake read reports a wrong signature", async () => {
  const message = authorization()
  const data = bytesCall(message, await sign({ ...message, value: 9_999n }))
  expect(await intakeRead(message, data)).toMatchObject({ used: false, transferred: false, received: 0n })
})

test("the intake read reports a paused asset", async () => {
  const { message, data } = await signed()
  await send(setting("pause"))
  expect(await intakeRead(message, data)).toMatchObject({ used: false, transferred: false, received: 0n })
})

test("the intake read reports the hash of the code of a contract payer", async () => {
  const { message, data } = await signed()
  await placeCode(payer.address, acceptingWallet)
  const read = await intakeRead(message, data)
  expect(read).toMatchObject({
    payerCode: keccak256(acceptingWallet),
    transferred: true,
    received: 10_000n,
  })
})

test("the intake read reports an EIP-7702 delegation, which voids the key's signature", async () => {
  const { message, data } = await signed()
  // Delegated to the asset, whose code does not implement ERC-1271.
  const delegation = await payer.signAuthorization({ chainId: sepolia.id, contractAddress: asset, nonce: 0 })
  const hash = await writer().sendTransaction({ authorizationList: [delegation], to: relayer.address })
  await reader().waitForTransactionReceipt({ hash })
  expect(await reader().getCode({ address: payer.address })).toBe(`0xef0100${asset.slice(2).toLowerCase()}`)
  expect(await intakeRead(message, data)).toMatchObject({
    payerCode: keccak256(`0xef0100${asset.slice(2).toLowerCase()}` as Hex),
    transferred: false,
    received: 0n,
  })
})

test("the intake read reports nothing received if payer and payee are equal", async () => {
  const { message, data } = await signed({ to: payer.address })
  expect(await intakeRead(message, data)).toMatchObject({ transferred: true, received: 0n })
})

test("the intake read reports no transfer at an address without code", async () => {
  const { message, data } = await signed()
  const read = await intakeRead(message, data, privateKeyToAccount(generatePrivateKey()).address)
  expect(read).toMatchObject({ balance: 0n, used: false, transferred: false, received: 0n })
})

test("the intake read returns its block for every kind of misbehaving asset", async () => {
  const { message, data } = await signed()
  const misbehaviours: Record<string, Hex> = {
    reverts: "0x5f5ffd",
    "is invalid": "0xfe",
    "loops for ever": "0x5b5f56",
    "answers 31 bytes": "0x601f5ff3",
    "answers 100,000 bytes": "0x620186a05ff3",
    "reverts with 100,000 bytes": "0x620186a05ffd",
  }
  const { blockNumber } = await intakeRead(message, data)
  for (const [behaviour, code] of Object.entries(misbehaviours)) {
    const badAsset = privateKeyToAccount(generatePrivateKey()).address
    await placeCode(badAsset, code)
    const read = await intakeRead(message, data, badAsset)
    expect(read, behaviour).toMatchObject({ balance: 0n, used: false, received: 0n, blockNumber })
  }
})
