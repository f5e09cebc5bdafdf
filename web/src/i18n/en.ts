import { admin } from './en/admin';
import { manage } from './en/manage';
import { audit } from './en/audit';
import { people } from './en/people';
import { plan } from './en/plan';
import { system } from './en/system';
import { app } from './en/app';
import { keep } from './en/keep';
import { player } from './en/player';
import { retention } from './en/retention';
import { streams } from './en/streams';
import { timeline } from './en/timeline';

/**
 * English: the text every other language is measured against, a file for each room of the page. `{name}` is filled in; plurals
 * follow `Intl.PluralRules`.
 */
export const en = {
  ...app,
  ...system,
  ...plan,
  ...people,
  ...audit,
  ...manage,
  ...admin,
  ...keep,
  ...player,
  ...retention,
  ...streams,
  ...timeline,
} as const;
