/** Removes the defences that exposure.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/core/exposure.ts", [
    [
      "a loss is charged to its payer first",
      'if (payer.failed > 0) return "failedPayer"',
      "",
      "a payer whose payment failed pays first",
    ],
    [
      "one wallet opens the breaker for nobody else",
      "counted.length >= fewestLosers && ",
      "",
      "SET-53: the losses of one wallet",
    ],
    [
      "wallets that never paid close nothing for those who paid",
      "settled > 0 ? losers.filter(({ isFunded }) => isFunded) : losers",
      "losers",
      "SET-53: wallets that never paid",
    ],
    [
      "a payment that would expire in the queue is refused",
      " || isTooLate(request, exposure.queued)",
      "",
      "SET-40",
    ],
    [
      "a payment over the limit is settled first",
      'if (nominal > limits.perPayment) return "perPayment"',
      "",
      "a payment over the limit",
    ],
    [
      "lost and unsettled value are limited together",
      'if (lost + unsettled + nominal > limits.dailyLoss + limits.total) return "dailyLoss"',
      "",
      "SET-04",
    ],
  ]),
]
