package domain

// userCodes is how many user codes there are: 20 letters in 8 places.
const userCodes = 20 * 20 * 20 * 20 * 20 * 20 * 20 * 20

// Budget is how many wrong guesses all strangers together may make in a code's
// lifetime while so many codes wait, so that one of them hits a code with a
// chance below one in a thousand: guesses × waiting / 20⁸ < 10⁻³ (RFC 8628 5.1).
// One where even that is too many.
func Budget(waiting int) int {
	return max(1, (userCodes/1000-1)/max(1, waiting))
}

// MaxWaiting is how many codes of an application may wait at once where devices ask
// without credentials, as strangers can: each makes guesses likelier to hit.
const MaxWaiting = 5000
