package limits

// Account names an account in counts of wrong passwords: the subject of all its
// claims. The address is in lower case; it may be nobody's.
func Account(secret []byte, email string) Key {
	return NewKey(secret, "sign_in", "subject", email)
}

// AccountKeys returns the keys that count the wrong passwords of strangers at an
// account: in a short time, and in a day. `platform user unlock` forgets them
// with the rest of the subject.
func AccountKeys(secret []byte, email string) [2]Key {
	return [2]Key{
		NewKey(secret, "sign_in", "account", email),
		NewKey(secret, "sign_in", "account_day", email),
	}
}
