/** Pages of lists and forms: what they share. */
export const admin = {
  'dialog.cancel': 'Cancel',
  'dialog.busy': 'One moment…',
  'dialog.done': 'Done',
  'dialog.save': 'Save',

  'once.copy': 'Copy',
  'once.copied': 'Copied',
  'once.hint': 'It is shown this once. Copy it now.',

  'pager.previous': 'Previous page',
  'pager.next': 'Next page',
  'pager.page': '{page} of {pages}',

  'admin.account': 'Account',
  'admin.every': 'All accounts',

  'window.unlimited': 'without end',
  'window.months': { one: '{n} month', other: '{n} months' },

  'amount.nothing': 'nothing',
  'amount.some': '{duration}, {bytes}',

  'cap.hours': '{n} (cap)',

  'problem.unreachable': 'The recorder does not answer. It was not done; try again.',
  'problem.forbidden': 'Your role does not allow this.',
  'problem.changed': 'It has changed in the meantime. Look at it again, then decide.',
  'problem.quote_outdated': 'This quote is too old. Ask for another.',
  'problem.stream_exists':
    'There is a stream of this name already, perhaps one that was removed. Choose another name, or restore that one.',
  'problem.account_exists': 'There is an account of this name already. Choose another.',
  'problem.user_exists': 'There is a user of this name already.',
  'problem.last_operator': 'This is the last operator who can sign in. Make another one first.',
  'problem.bad_credentials': 'The current password is another. Check it and try again.',
  'problem.too_many_attempts': 'Too many attempts. Wait a moment, then try again.',
  'problem.held': 'A hold keeps some of this footage. Release it first.',
  'problem.key_in_use': 'This key signs new addresses. Add another one first.',
  'problem.retention_running': 'A run is under way. Try again when it is over.',
  'problem.no_attestation': 'There is none of that day. One is made each day, of the day before.',
  'problem.other': 'That did not work ({code}).',
} as const;
