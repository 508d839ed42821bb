"""What is owed and what was paid: repayments, refunds, forgiveness, write-offs, payees."""
