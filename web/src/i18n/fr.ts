import { admin } from './fr/admin';
import { manage } from './fr/manage';
import { audit } from './fr/audit';
import { people } from './fr/people';
import { plan } from './fr/plan';
import { system } from './fr/system';
import { app } from './fr/app';
import { keep } from './fr/keep';
import { player } from './fr/player';
import { retention } from './fr/retention';
import { streams } from './fr/streams';
import { timeline } from './fr/timeline';
import type { Messages } from './messages';

/** Français. Espaces insécables devant « : ; ? ! » et dans les guillemets. */
export const fr: Messages = {
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
};
