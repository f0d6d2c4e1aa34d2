package limits

// Account returns the subject of all claims that count wrong passwords for an account. The
// address is in lower case; it needn't belong to an account.
func Account(secret []byte, email string) Key {
	return NewKey(secret, "sign_in", "subject", email)
}

// AccountKeys returns the keys that count wrong passwords for an account from unknown browsers,
// over a short time and since the last success. `platform user unlock` resets them with the rest of the
// subject.
func AccountKeys(secret []byte, email string) [2]Key {
	return [2]Key{
		NewKey(secret, "sign_in", "account", email),
		NewKey(secret, "sign_in", "account_in_a_row", email),
	}
}
