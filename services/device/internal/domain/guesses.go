package domain

// userCodes is the number of possible user codes: 8 places with 20 letters each.
const userCodes = 20 * 20 * 20 * 20 * 20 * 20 * 20 * 20

// Budget returns how many wrong guesses people who aren't signed in may make together in a
// code's lifetime while the given number of codes is waiting, so that the chance of hitting
// one stays below one in a thousand: guesses × waiting / 20⁸ < 10⁻³ (RFC 8628 5.1). It is 1
// if even a single guess exceeds that.
func Budget(waiting int) int {
	return max(1, (userCodes/1000-1)/max(1, waiting))
}

// MaxWaiting is how many codes of an application may wait at once if its devices ask
// without credentials, as attackers can too. Each waiting code makes a guess more likely to
// hit.
const MaxWaiting = 5000
