/** Every rule of the standards that can be seen from outside. */
import { bearerRules } from "./bearer.ts"
import { dpopRules } from "./dpop.ts"
import { metadataRules } from "./metadata.ts"
import { practiceRules } from "./practice.ts"
import { tokenCareRules } from "./token-care.ts"
import { tokenEndpointRules } from "./token-endpoint.ts"
import { tokenExchangeRules } from "./token-exchange.ts"
import { tokenRules } from "./tokens.ts"

export const rules = [
  ...tokenEndpointRules,
  ...tokenExchangeRules,
  ...bearerRules,
  ...tokenCareRules,
  ...tokenRules,
  ...metadataRules,
  ...dpopRules,
  ...practiceRules,
]
