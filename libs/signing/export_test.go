package signing

// Remember replaces the bounds of the tokens that the ring remembers.
func (r *Ring) Remember(tokens, bytes int) { r.seen.max, r.seen.maxBytes = tokens, bytes }

// SeenBytes returns what the tokens that the ring remembers count towards their bound.
func (r *Ring) SeenBytes() int {
	r.seen.mu.RLock()
	defer r.seen.mu.RUnlock()
	return r.seen.bytes
}

// Forget makes the ring forget the tokens that it has seen.
func (r *Ring) Forget() {
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	clear(r.seen.tokens)
	r.seen.bytes = 0
}
