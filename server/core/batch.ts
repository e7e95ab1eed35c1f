/** Groups settlements that share a transaction, and encodes them for the contracts that make many calls in one. */
import type { Call as Target } from "../../shared/schemes/scheme.ts"
import {
  type Address,
  concat,
  decodeFunctionData,
  decodeFunctionResult,
  encodeFunctionData,
  type Hex,
  parseAbi,
  zeroHash,
} from "../../shared/values/evm.ts"
import { most } from "./fees.ts"
import { create2Deployer, settlerAddress, settlerCode } from "./settler.ts"

/** A call of the relayer. Its gas is the limit when the call is a transaction of its own. */
export type Call = Target & { readonly gas: bigint }

/** A contract that makes the calls of a batch, and goes on when one of them fails. */
export type Aggregator = {
  readonly name: "Settler" | "Multicall3"
  readonly address: Address
  /** Whether each call has a gas limit of its own. Without one, a single call can starve all others. */
  readonly capsEach: boolean
  /** Calldata for calls of one contract. */
  encode(calls: readonly Call[]): Hex
  /** The calls in the calldata. Throws for any other calldata. */
  decode(data: Hex): readonly Target[]
  /** Whether all calls succeeded, by the contract's answer. Only meaningful without a gas limit for each. */
  allSucceeded(output: Hex): boolean
}

const settlerAbi = parseAbi(["function run(address asset, uint256 gasEach, bytes[] calls)"])
const multicallAbi = parseAbi([
  "struct Call3 { address target; bool allowFailure; bytes callData; }",
  "struct Result { bool success; bytes returnData; }",
  "function aggregate3(Call3[] calls) payable returns (Result[] results)",
])

const settler: Aggregator = {
  name: "Settler",
  address: settlerAddress,
  capsEach: true,
  encode(calls) {
    const [first] = calls
    if (!first || calls.some((call) => call.to !== first.to)) throw new Error("a batch calls one contract")
    const args = [first.to, mostGas(calls), calls.map((call) => call.data)] as const
    return encodeFunctionData({ abi: settlerAbi, functionName: "run", args })
  },
  decode(data) {
    const [to, , calls] = decodeFunctionData({ abi: settlerAbi, data }).args
    return calls.map((call) => ({ to, data: call }))
  },
  allSucceeded: () => true,
}

const multicall3: Aggregator = {
  name: "Multicall3",
  address: "0xca11bde05977b3631167028862be2a173976ca11",
  capsEach: false,
  encode: (calls) =>
    encodeFunctionData({
      abi: multicallAbi,
      functionName: "aggregate3",
      args: [calls.map(({ to, data }) => ({ target: to, allowFailure: true, callData: data }))],
    }),
  decode: (data) =>
    decodeFunctionData({ abi: multicallAbi, data }).args[0].map(({ target, callData }) => ({
      to: target,
      data: callData,
    })),
  allSucceeded: (output) =>
    decodeFunctionResult({ abi: multicallAbi, functionName: "aggregate3", data: output }).every(
      ({ success }) => success,
    ),
}

/** The better one first. */
export const aggregators: readonly Aggregator[] = [settler, multicall3]

/** Puts the Settler at its address, on any network that has the deployer. */
export const settlerDeployment: Target = { to: create2Deployer, data: concat([zeroHash, settlerCode]) }

// Overhead of a call: reading it from the calldata, a cold account, storing a result.
const perCall = 6_000n
// The transaction itself, and the room that the Settler wants before its last call.
const perBatch = 40_000n

/** Gas of the transaction that makes all these calls, even if each burns as much as it may. */
export function batchGas(calls: readonly Call[]): bigint {
  // 16 for each byte of calldata, of which an inner call takes three words more than its own.
  const bytes = calls.reduce((sum, call) => sum + BigInt(call.data.length / 2 + 128), 0n)
  const gasEach = mostGas(calls)
  return perBatch + gasEach / 63n + BigInt(calls.length) * (gasEach + perCall) + 16n * bytes
}

export type Rider = {
  readonly call: Call
  /** Must have a transaction of its own. */
  readonly alone: boolean
}

export type BatchLimits = {
  /** Payments in one transaction. */
  readonly size: number
  /** Of one transaction. */
  readonly gas: bigint
}

/** Groups calls of one contract within the limits, in the order of the first call of each group. */
export function plan<R extends Rider>(riders: readonly R[], limits: BatchLimits): readonly (readonly R[])[] {
  const groups: R[][] = []
  const filling = new Map<Address, R[]>()
  for (const rider of riders) {
    const group = rider.alone ? undefined : filling.get(rider.call.to)
    if (group && fits([...group, rider], limits)) {
      group.push(rider)
      continue
    }
    const opened = [rider]
    groups.push(opened)
    if (!rider.alone) filling.set(rider.call.to, opened)
  }
  return groups
}

const fits = (group: readonly Rider[], { size, gas }: BatchLimits): boolean =>
  group.length <= size && batchGas(group.map(({ call }) => call)) <= gas

const mostGas = (calls: readonly Call[]): bigint => calls.reduce((gas, call) => most(gas, call.gas), 0n)
