/** The defences of the house, one table an area. */
import type { Mutation } from "../mutation.ts"
import { books } from "./books.ts"
import { client } from "./client.ts"
import { commands } from "./commands.ts"
import { derived } from "./derived.ts"
import { money } from "./money.ts"
import { offersAndLimits } from "./offers-and-limits.ts"
import { proofs } from "./proofs.ts"
import { redeemedOnce } from "./redeemed-once.ts"
import { strangers } from "./strangers.ts"
import { strangersAtTheDoor } from "./strangers-at-the-door.ts"
import { takenBack } from "./taken-back.ts"
import { tokens } from "./tokens.ts"
import { topUps } from "./top-ups.ts"
import { units } from "./units.ts"
import { wire } from "./wire.ts"

export const mutations: readonly Mutation[] = [
  ...units,
  ...derived,
  ...topUps,
  ...takenBack,
  ...redeemedOnce,
  ...offersAndLimits,
  ...strangers,
  ...tokens,
  ...proofs,
  ...money,
  ...wire,
  ...client,
  ...commands,
  ...books,
  ...strangersAtTheDoor,
]
