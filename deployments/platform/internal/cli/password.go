package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/platform-oauth/platform-oauth/libs/directory/password"
)

const passwordFileUsage = "file with the password (default: standard input, or a prompt without echo)"

// readPassword reads a password from standard input or a file. It never takes one from the
// command line, which other users can see in the list of processes and in the shell's
// history.
func (a *app) readPassword(ctx context.Context, file string) (string, error) {
	secret, err := a.rawPassword(ctx, file)
	if err != nil {
		return "", err
	}

	secret = strings.TrimSuffix(strings.TrimSuffix(secret, "\n"), "\r")
	switch {
	case secret == "":
		return "", usageError{errors.New("the password is empty: write it to standard input, or give its file with --password-file")}
	case len(secret) > password.MaxLength:
		return "", usageError{fmt.Errorf("the password is longer than %d bytes", password.MaxLength)}
	case !utf8.ValidString(secret) || strings.ContainsAny(secret, "\x00\r\n"):
		return "", usageError{errors.New("the password isn't a single line of UTF-8, so it couldn't be typed")}
	}

	return secret, nil
}

func (a *app) rawPassword(ctx context.Context, file string) (string, error) {
	in := a.streams.In
	if file != "" {
		f, err := os.Open(file) //nolint:gosec // the operator names the file
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	} else if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return a.askPassword(ctx, int(f.Fd()))
	}

	content, err := io.ReadAll(io.LimitReader(in, password.MaxLength+3)) // a line end, and one byte too many
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}

	return string(content), nil
}

// askPassword asks for a password twice without echo. It restores the echo when it is
// interrupted.
func (a *app) askPassword(ctx context.Context, terminal int) (string, error) {
	first, err := a.ask(ctx, terminal, "Password: ")
	if err != nil {
		return "", err
	}

	second, err := a.ask(ctx, terminal, "Again: ")
	if err != nil {
		return "", err
	}

	if first != second {
		return "", errors.New("the passwords differ: nothing was changed")
	}

	return first, nil
}

func (a *app) ask(ctx context.Context, terminal int, prompt string) (string, error) {
	state, err := term.GetState(terminal)
	if err != nil {
		return "", fmt.Errorf("prompt for the password: %w", err)
	}

	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	fmt.Fprint(a.streams.Err, prompt)
	go func() {
		text, err := term.ReadPassword(terminal)
		typed <- line{text, err}
	}()
	defer fmt.Fprintln(a.streams.Err)

	select {
	case l := <-typed:
		return string(l.text), l.err
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(terminal, state))
	}
}
