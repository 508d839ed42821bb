"""E-mail by SMTP submission (RFC 6409), and the bounces that come back (RFC 3464).

Works with any mail server: your own, or a provider's submission host. TLS is required except to
this machine itself. What it can and cannot do:

* The Message-ID is made from the message's own key, so a repeat would be recognisable. SMTP itself
  knows no idempotency and cannot be asked afterwards: when the answer to the text is lost, the
  outcome stays unknown and it is never sent a second time.
* 4xx and a lost connection before the text was handed over: surely not sent. 5xx: refused.
* List-Unsubscribe with One-Click (RFC 8058). Mailboxes honour it when the domain signs its mail
  (DKIM), which is the mail server's work.
* Bounces reach Saldo when the mail server hands them to POST /hooks/smtp, signed; see
  docs/operating.md. Without that, a dead address is noticed only when it is refused at once.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.smtp.messages import NAME, Settings, SmtpEmails
from connectors.smtp.trial import try_out

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    emails=SmtpEmails,
    try_out=try_out,
)
