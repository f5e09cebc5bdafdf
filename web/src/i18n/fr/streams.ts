import type { streams as en } from '../en/streams';
import type { In } from '../messages';

export const streams: In<typeof en> = {
  'streams.title': 'Flux',
  'streams.count': { one: '{n} flux', other: '{n} flux' },
  'streams.find': 'Chercher un flux',
  'streams.none': 'Aucun flux pour l’instant.',
  'streams.none.hint': 'Ajoutez le premier sur l’enregistreur\u00a0:',
  'streams.no_match': 'Aucun flux ne s’appelle «\u00a0{text}\u00a0».',
  'streams.failed': 'La liste n’a pas pu être chargée.',
  'streams.retry': 'Réessayer',
  'streams.since': 'enregistré depuis le {day}',
  'streams.nothing_yet': 'rien d’enregistré pour l’instant',
  'streams.no_picture': 'Pas encore d’image',
  'streams.no_picture_now': 'Pas d’image à montrer',
  'streams.sound_only': 'Son seul',
  'streams.picture_of': 'Image de {title}',

  'state.recording': 'Enregistre',
  'state.connecting': 'Se connecte',
  'state.stalled': 'Rien n’arrive',
  'state.backing_off': 'Attend avant de réessayer',
  'state.quarantined': 'Mis à l’écart',
  'state.disabled': 'Arrêté',
  'state.paused': 'En pause',
  'state.file': 'Importé',
};
