/** Keeping a part. */
export const keep = {
  'clip.title': 'Keep a part',
  'clip.intro': 'Mark where the clip begins and ends, then download it.',
  'clip.mark_in': 'Begin here',
  'clip.mark_out': 'End here',
  'clip.from': 'From',
  'clip.to': 'to',
  'clip.clear': 'Clear marks',
  'clip.download': 'Download clip',
  'clip.missing': '{duration} of it was not recorded and is left out',
  'clip.nothing': 'Nothing is recorded between the marks.',
  'clip.reversed': 'The end is before the beginning.',
  'clip.open': 'not marked yet',
  'clip.frame': 'Download this picture',
} as const;
