// Release makes what a version publishes independent of when and where it is made: files
// that depend on nothing but the commit and the Go toolchain. release.sh calls it.
//
//	release archive -out FILE FOLDER          pack a folder as FILE, a tar.gz
//	release repack FILE                       pack the tar.gz FILE again
//	release image -out FILE SAVED             write what `docker save` wrote to SAVED as FILE, a docker archive
//	release notices -platforms LIST PACKAGE…  print the licences of all modules that the packages link
//
// Every time in what it writes is SOURCE_DATE_EPOCH, in seconds since 1970.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: release archive|repack|image|notices [flags] argument…")

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}

	flags := flag.NewFlagSet("release "+args[0], flag.ContinueOnError)
	out := flags.String("out", "", "the file to write")
	tags := flags.String("tags", "", "build tags of the packages")
	platforms := flags.String("platforms", "", "GOOS/GOARCH of the programs, separated by spaces")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}

	if flags.NArg() == 0 {
		return errUsage
	}

	if args[0] == "notices" {
		return notices(ctx, os.Stdout, *tags, strings.Fields(*platforms), flags.Args())
	}

	at, err := sourceDate()
	if err != nil {
		return err
	}

	switch args[0] {
	case "archive":
		return archive(*out, flags.Arg(0), at)
	case "repack":
		return repack(flags.Arg(0), at)
	case "image":
		return image(*out, flags.Arg(0), at)
	default:
		return errUsage
	}
}

// sourceDate returns the time that everything in a release bears.
// See https://reproducible-builds.org/specs/source-date-epoch/.
func sourceDate() (time.Time, error) {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}

	return time.Unix(seconds, 0).UTC(), nil
}
