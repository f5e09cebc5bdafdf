import type { keep as en } from '../en/keep';
import type { In } from '../messages';

export const keep: In<typeof en> = {
  'clip.title': 'Garder un passage',
  'clip.intro': 'Marquez le début et la fin de l’extrait, puis téléchargez‑le.',
  'clip.mark_in': 'Commencer ici',
  'clip.mark_out': 'Finir ici',
  'clip.from': 'De',
  'clip.to': 'à',
  'clip.clear': 'Effacer les marques',
  'clip.download': 'Télécharger l’extrait',
  'clip.missing': '{duration} n’ont pas été enregistrées et manqueront',
  'clip.nothing': 'Rien n’est enregistré entre les marques.',
  'clip.reversed': 'La fin est avant le début.',
  'clip.open': 'pas encore marqué',
  'clip.frame': 'Télécharger cette image',
};
