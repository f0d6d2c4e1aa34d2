package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Limits of the hashes that Validate accepts. Every sign-in pays the cost of the stored hash,
// so an imported hash must not be so costly that it stops the service.
const (
	MaxMemory  = 256 * 1024 // KiB
	MaxTime    = 10
	MaxThreads = 4
)

// Params is the cost of a hash (RFC 9106 3.1).
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// defaultParams is OWASP's first choice for argon2id: 19 MiB, two passes.
var defaultParams = Params{Memory: 19 * 1024, Time: 2, Threads: 1}

const (
	saltLength = 16
	keyLength  = 32
)

// ErrFormat is returned for a string that isn't an argon2id PHC string within the limits.
var ErrFormat = errors.New("password: not an acceptable argon2id PHC string")

type parsed struct {
	Params
	salt []byte
	key  []byte
}

func (p parsed) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Time, p.Threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// Validate returns nil if hash may be stored: an argon2id PHC string
// ("$argon2id$v=19$m=19456,t=2,p=1$salt$key") with m at most 256 MiB, t at most 10 and p at
// most 4. Otherwise the error wraps ErrFormat and says which rule is broken, without the hash.
func Validate(hash string) error {
	_, err := parse(hash)
	return err
}

func parse(hash string) (parsed, error) {
	var p parsed
	parts := strings.Split(hash, "$")
	if len(hash) > 512 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return p, fmt.Errorf("%w: it must look like $argon2id$v=19$m=…,t=…,p=…$salt$key", ErrFormat)
	}

	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return p, fmt.Errorf("%w: only version %d is supported", ErrFormat, argon2.Version)
	}

	if err := p.parseCost(parts[3]); err != nil {
		return p, err
	}

	var err error
	if p.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(p.salt) < 8 ||
		len(p.salt) > 64 {
		return p, fmt.Errorf("%w: the salt must be 8 to 64 bytes of unpadded base64", ErrFormat)
	}

	if p.key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(p.key) < 16 ||
		len(p.key) > 64 {
		return p, fmt.Errorf("%w: the key must be 16 to 64 bytes of unpadded base64", ErrFormat)
	}

	return p, nil
}

func (p *parsed) parseCost(s string) error {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return fmt.Errorf("%w: the cost must read m=…,t=…,p=…", ErrFormat)
	}

	var values [3]uint64
	for i, name := range [3]string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(fields[i], name)
		value, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || strconv.FormatUint(value, 10) != digits {
			return fmt.Errorf("%w: the cost must read m=…,t=…,p=…", ErrFormat)
		}
		values[i] = value
	}

	switch m, t, threads := values[0], values[1], values[2]; {
	case m > MaxMemory:
		return fmt.Errorf("%w: m is more than %d KiB", ErrFormat, MaxMemory)
	case t < 1 || t > MaxTime:
		return fmt.Errorf("%w: t is not between 1 and %d", ErrFormat, MaxTime)
	case threads < 1 || threads > MaxThreads:
		return fmt.Errorf("%w: p is not between 1 and %d", ErrFormat, MaxThreads)
	case m < 8*threads:
		return fmt.Errorf("%w: m is less than 8 KiB a thread (RFC 9106 3.1)", ErrFormat)
	default:
		p.Memory, p.Time, p.Threads = uint32(m), uint32(t), uint8(threads)
		return nil
	}
}
