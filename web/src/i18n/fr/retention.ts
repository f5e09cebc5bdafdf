import type { retention as en } from '../en/retention';
import type { In } from '../messages';

export const retention: In<typeof en> = {
  'retention.stopped': 'La rétention est arrêtée',
  'retention.safe': 'Rien ne sera effacé avant votre confirmation. L’enregistrement et la lecture continuent.',
  'retention.confirm': 'J’ai vérifié : continuer',
  'retention.confirmed': 'Confirmé. Le prochain passage continue.',
  'retention.failed': 'Cela n’a pas fonctionné : {detail}',
  'retention.clock_forward':
    'Le dernier passage date du {last}, il y a plus d’un jour. L’enregistreur était-il éteint, ou son horloge est-elle fausse ?',
  'retention.clock_backward': 'L’horloge est en retard sur le dernier passage, du {last}. Est-elle juste ?',
  'retention.too_much':
    '{amount} du compte « {account} » seraient abandonnés ; {foreseen} étaient prévus. Un forfait ou une limite ont-ils changé, ou des images anciennes ont-elles été importées ?',
  'retention.foreign_folder': 'Le dossier des médias n’est pas celui de cet enregistreur : {detail}',
};
