"""The page Recipient API Tokens: pickers, table, actions, confirmations, receipts, approvals."""
