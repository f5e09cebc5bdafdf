/** Why the player cannot go on. */
export type Trouble =
  | { readonly kind: 'signed_out' }
  /** No answer, or not the one hoped for; may pass by itself. */
  | { readonly kind: 'network' }
  /** The footage was there a moment ago and is gone: pruned or erased. */
  | { readonly kind: 'missing' }
  /** The footage is there and cannot be read. */
  | { readonly kind: 'damaged' }
  | { readonly kind: 'forbidden' }
  /** This browser has no decoder for it. */
  | { readonly kind: 'unplayable'; readonly codec: string }
  | { readonly kind: 'decoder' }
  /** The browser has no Media Source Extensions. */
  | { readonly kind: 'unsupported' };
