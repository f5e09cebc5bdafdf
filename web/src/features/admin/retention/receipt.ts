/** Reads what the page needs of a signed receipt. What is missing or of another kind is left out, not guessed. */
import type { SignedReceipt } from '../../../api/retention';

export interface ReceiptBlock {
  readonly block: string;
  readonly stream: string;
  readonly start_us: number | null;
  readonly end_us: number | null;
  readonly bytes: number;
  readonly checksum: string | null;
  readonly marked_us: number | null;
  readonly hidden_us: number | null;
  readonly gone_us: number | null;
  readonly rule: unknown;
}

export interface ReadReceipt {
  readonly of: string;
  readonly number: number;
  readonly account: string;
  readonly part: number;
  readonly parts: number;
  readonly begun_us: number | null;
  readonly finished_us: number | null;
  readonly made_us: number | null;
  readonly reason: string;
  readonly asked_by: string;
  readonly actor: string;
  readonly totals: { readonly blocks: number; readonly segments: number; readonly bytes: number };
  readonly blocks: readonly ReceiptBlock[];
  readonly key: string;
  readonly signature: string;
}

type Members = Readonly<Record<string, unknown>>;

export function readReceipt(signed: SignedReceipt): ReadReceipt {
  const m: Members = signed;
  const totals = members(m['totals']);
  const blocks = Array.isArray(m['blocks']) ? (m['blocks'] as unknown[]) : [];
  return {
    of: text(m['of']),
    number: number(m['number']) ?? 0,
    account: text(m['account']),
    part: number(m['part']) ?? 1,
    parts: number(m['parts']) ?? 1,
    begun_us: number(m['begun_us']),
    finished_us: number(m['finished_us']),
    made_us: number(m['made_us']),
    reason: text(m['reason']),
    asked_by: text(m['asked_by']),
    actor: text(m['actor']),
    totals: {
      blocks: number(totals['blocks']) ?? 0,
      segments: number(totals['segments']) ?? 0,
      bytes: number(totals['bytes']) ?? 0,
    },
    blocks: blocks.map(members).map(block),
    key: text(m['key']),
    signature: text(m['signature']),
  };
}

function block(m: Members): ReceiptBlock {
  return {
    block: text(m['block']),
    stream: text(m['stream']),
    start_us: number(m['start_us']),
    end_us: number(m['end_us']),
    bytes: number(m['bytes']) ?? 0,
    checksum: typeof m['checksum'] === 'string' ? m['checksum'] : null,
    marked_us: number(m['marked_us']),
    hidden_us: number(m['hidden_us']),
    gone_us: number(m['gone_us']),
    rule: m['rule'],
  };
}

export type Rule = { kind: 'plan'; months: number } | { kind: 'cap'; hours: number } | { kind: 'other'; text: string };

/** The rule under which a block went, as the judge wrote it down. */
export function ruleOf(rule: unknown): Rule {
  const m = members(rule);
  const [months, hours] = [number(m['months']), number(m['hours']) ?? number(m['cap_hours'])];
  if (m['reason'] === 'cap' && hours !== null) return { kind: 'cap', hours };
  if (months !== null) return { kind: 'plan', months };
  return { kind: 'other', text: rule === null || rule === undefined ? '–' : JSON.stringify(rule) };
}

function members(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
