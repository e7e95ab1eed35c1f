/** Every rule that requests from outside can check. */
import { bearerRules } from "./bearer.ts"
import { dpopRules } from "./dpop.ts"
import { metadataRules } from "./metadata.ts"
import { securityPracticeRules } from "./security-practice.ts"
import { tokenEndpointRules } from "./token-endpoint.ts"
import { tokenExchangeRules } from "./token-exchange.ts"
import { tokenLifecycleRules } from "./token-lifecycle.ts"
import { tokenRules } from "./tokens.ts"

export const rules = [
  ...tokenEndpointRules,
  ...tokenExchangeRules,
  ...bearerRules,
  ...tokenLifecycleRules,
  ...tokenRules,
  ...metadataRules,
  ...dpopRules,
  ...securityPracticeRules,
]
