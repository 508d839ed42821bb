"""What a lender states: borrowers and loans one by one, or a whole book in a file."""
