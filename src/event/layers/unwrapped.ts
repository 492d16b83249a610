/** What taking one layer off gives: the bytes inside, or why there are none. */
export type Unwrapped =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly code: `decode.${string}`; readonly message: string }
