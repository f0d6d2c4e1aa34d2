package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var options options
	flag.StringVar(&options.listen, "listen", "127.0.0.1:0", "`address` to listen on")
	flag.StringVar(&options.dir, "dir", "",
		"`folder` to keep everything in; in memory without. What is found there comes up sealed")
	flag.StringVar(&options.rootToken, "root-token", "", "root `token` of a new server; random without")
	flag.StringVar(&options.logLevel, "log-level", "off",
		"what to write to standard error: `level` trace, debug, info, warn, error or off")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "openbao serves transit for tests until its standard input ends.")
		flag.PrintDefaults()
	}
	flag.Parse()

	if err := run(options); err != nil {
		fmt.Fprintln(os.Stderr, "openbao:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s, err := start(ctx, o)
	if err != nil {
		return err
	}

	if err := json.NewEncoder(os.Stdout).Encode(s.started); err != nil {
		return errors.Join(err, s.close())
	}

	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	<-ctx.Done()
	return s.close()
}
