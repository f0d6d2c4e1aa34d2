package testkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	pauseSignal  = syscall.SIGSTOP
	resumeSignal = syscall.SIGCONT

	// baoPatience bounds how long a server may take to start or to stop on a busy machine.
	baoPatience = 60 * time.Second
)

// baoProcess is a running deployments/openbao. It ends when its standard input ends, which
// is a pipe that we hold, so that it never outlives the test binary.
type baoProcess struct {
	cmd   *exec.Cmd
	keep  io.Closer
	ended chan struct{}
	err   error // how the process ended, once it has
}

// baoLine is the line that the server prints once it serves.
type baoLine struct {
	Sealed     bool     `json:"sealed"`
	RootToken  string   `json:"root_token"`
	UnsealKeys []string `json:"unseal_keys"`
}

func startBao(program, addr, dir string) (*baoProcess, baoLine, error) {
	arguments := []string{"-listen", strings.TrimPrefix(addr, "http://"), "-dir", dir, "-log-level", "error"}
	cmd := exec.Command(program, arguments...) //nolint:gosec,noctx // a program that we found; it ends with its input
	// The VAULT_ variables are for clients.
	cmd.Env = []string{}
	var said bytes.Buffer
	cmd.Stderr = &said
	keep, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		return nil, baoLine{}, err
	}

	p := &baoProcess{cmd: cmd, keep: keep, ended: make(chan struct{})}
	line, err := firstLine(out)
	go func() { defer close(p.ended); p.err = cmd.Wait() }()

	if err != nil {
		_ = p.kill()
		return nil, line, fmt.Errorf("openbao did not start: %w\n%s", err, said.Bytes())
	}

	return p, line, nil
}

// firstLine waits for the server's first line, or for the end of its output.
func firstLine(out io.Reader) (line baoLine, err error) {
	type pipe interface{ SetReadDeadline(t time.Time) error }
	if p, ok := out.(pipe); ok {
		_ = p.SetReadDeadline(time.Now().Add(baoPatience))
	}
	err = json.NewDecoder(out).Decode(&line)
	return line, err
}

func (p *baoProcess) signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// paused reports whether all threads have stopped, because a signal takes time to arrive.
func (p *baoProcess) paused() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return false
	}

	for _, name := range threads {
		content, err := os.ReadFile(name) //nolint:gosec // a kernel file
		// The line is "tid (name) state …", and the name may contain anything.
		if state := content[bytes.LastIndexByte(content, ')')+1:]; err != nil || !bytes.HasPrefix(state, []byte(" T")) {
			return false
		}
	}

	return true
}

// kill ends the process in any state, even a paused one.
func (p *baoProcess) kill() error {
	err := p.signal(os.Kill)
	<-p.ended
	return errors.Join(err, ignoreClosed(p.keep.Close()))
}

func (p *baoProcess) stop() error {
	err := p.keep.Close()
	select {
	case <-p.ended:
		return errors.Join(err, p.err)
	case <-time.After(baoPatience):
		return errors.Join(err, p.kill(), errors.New("openbao does not stop when its input ends"))
	}
}

// ignoreClosed drops the error of a pipe that Wait has closed too.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// openBaoBinary returns the program that the variable names, or the one that make builds.
// It doesn't build the program, because test binaries run in parallel and the first build
// takes minutes.
func openBaoBinary(named string) (string, error) {
	const remedy = "run `make bin/openbao`, or name the program in " + OpenBaoVariable
	program := named
	if program == "" {
		root, err := repositoryRoot()
		if err != nil {
			return "", fmt.Errorf("%w; %s", err, remedy)
		}
		program = filepath.Join(root, "bin", "openbao")
	}

	if _, err := exec.LookPath(program); err != nil {
		return "", fmt.Errorf("there is no program %s; %s", program, remedy)
	}

	return program, nil
}

// repositoryRoot returns the folder of go.work, searching upwards from the package under
// test.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}

	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}

		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the test does not run in the repository")
		}

		dir = parent
	}
}
