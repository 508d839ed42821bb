"""The demo: a lender, his borrowers, their banks and phones, on one machine and a fast clock."""
