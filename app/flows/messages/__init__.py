"""What leaves for a borrower or a lender: queued, worded, looked at a last time, sent, followed."""
