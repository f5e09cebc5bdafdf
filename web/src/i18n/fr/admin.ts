import type { admin as en } from '../en/admin';
import type { In } from '../messages';

export const admin: In<typeof en> = {
  'dialog.cancel': 'Annuler',
  'dialog.busy': 'Un instant…',
  'dialog.done': 'Terminé',
  'dialog.save': 'Enregistrer',

  'once.copy': 'Copier',
  'once.copied': 'Copié',
  'once.hint': 'Affiché une seule fois. Copiez-le maintenant.',

  'pager.previous': 'Page précédente',
  'pager.next': 'Page suivante',
  'pager.page': '{page} sur {pages}',

  'admin.account': 'Compte',
  'admin.every': 'Tous les comptes',

  'window.unlimited': 'sans limite',
  'window.months': { one: '{n} mois', other: '{n} mois' },

  'amount.nothing': 'rien',
  'amount.some': '{duration}, {bytes}',

  'cap.hours': '{n} (plafond)',

  'problem.unreachable': 'L’enregistreur ne répond pas. Rien n’a été fait ; réessayez.',
  'problem.forbidden': 'Votre rôle ne le permet pas.',
  'problem.changed': 'Cela a changé entre-temps. Regardez à nouveau, puis décidez.',
  'problem.quote_outdated': 'Ce devis est trop ancien. Demandez-en un autre.',
  'problem.stream_exists': 'Un flux porte déjà ce nom, peut-être supprimé. Choisissez un autre nom, ou restaurez-le.',
  'problem.account_exists': 'Un compte porte déjà ce nom. Choisissez-en un autre.',
  'problem.user_exists': 'Un utilisateur porte déjà ce nom.',
  'problem.last_operator': 'C’est le dernier opérateur qui puisse se connecter. Créez-en d’abord un autre.',
  'problem.bad_credentials': 'Le mot de passe actuel est différent. Vérifiez-le et réessayez.',
  'problem.too_many_attempts': 'Trop d’essais. Patientez un instant, puis réessayez.',
  'problem.held': 'Un gel protège une partie de ces images. Levez-le d’abord.',
  'problem.key_in_use': 'Cette clé signe les nouvelles adresses. Ajoutez-en d’abord une autre.',
  'problem.retention_running': 'Un passage est en cours. Réessayez quand il sera terminé.',
  'problem.no_attestation': 'Il n’y en a pas pour ce jour. Une attestation est faite chaque jour, pour la veille.',
  'problem.other': 'Cela n’a pas fonctionné ({code}).',
};
