package clientauth

// Inline returns how many key sets are kept parsed, and what they count towards their bound.
func (a *Authenticator) Inline() (sets, keys int) {
	a.inline.mu.RLock()
	defer a.inline.mu.RUnlock()
	return len(a.inline.sets), a.inline.keys
}

// MaxInlineKeys is exported for tests.
const MaxInlineKeys = maxInlineKeys
