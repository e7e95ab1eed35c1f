/** Fails an import of plain `ticket402`, and names the entries that exist. */
export {}

throw new Error(
  "ticket402 has several entries, wanted one of them: ticket402/client, ticket402/client/axios, ticket402/client/node, ticket402/client/undici, ticket402/client/x402, ticket402/server, ticket402/server/express, ticket402/shared",
)
