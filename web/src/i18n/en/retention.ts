/** How long footage stays. */
export const retention = {
  'retention.stopped': 'Retention stands still',
  'retention.safe': 'Until you confirm, nothing is deleted. Recording and playback go on.',
  'retention.confirm': 'I have looked into it: go on',
  'retention.confirmed': 'Confirmed. The next run goes on.',
  'retention.failed': 'That did not work: {detail}',
  'retention.clock_forward':
    'The last run was on {last}, more than a day ago. Was the recorder off, or is its clock wrong?',
  'retention.clock_backward': 'The clock is behind the last run, on {last}. Is it right?',
  'retention.too_much':
    '{amount} of the account “{account}” would be given up; {foreseen} were foreseen. Has a plan or a limit changed, or was old footage imported?',
  'retention.foreign_folder': 'The media folder is not the one that belongs to this recorder: {detail}',
} as const;
