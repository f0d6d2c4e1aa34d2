package testkit

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/testkit/apt"
)

// pgSupervisor runs the server ($2…) and ends it when our end of the pipe, its standard
// input, closes. That happens however the test binary ends, so no exit hook is needed. It
// stops the server at once with SIGQUIT and deletes the data, which no test needs any more.
// If the server ends while the file "hold" exists, the supervisor renames the file to
// "held" and starts the server again once "held" is gone.
const pgSupervisor = `
dir=$1; shift
exec 3<&0
while :; do
    "$@" >"$dir/log" 2>&1 </dev/null 3<&- & server=$!
    (while read -r _; do :; done <&3; : >"$dir/over"; kill -QUIT "$server") 2>/dev/null & watch=$!
    wait "$server"
    [ -e "$dir/hold" ] || break
    mv "$dir/hold" "$dir/held"
    while [ -e "$dir/held" ] && ! [ -e "$dir/over" ]; do sleep 0.02; done
    [ -e "$dir/over" ] && break
    kill "$watch" 2>/dev/null
done
kill "$watch" 2>/dev/null
tail -n 20 "$dir/log" >&2
cd / && rm -rf "$dir"
`

type pgProcess struct {
	host     string // 127.0.0.1:port
	dir      string
	password string
	keep     io.Closer     // the pipe; closing it ends the server
	ended    chan struct{} // closed when the supervisor has cleaned up
}

func (p *pgProcess) stop() {
	_ = p.keep.Close()
	<-p.ended
}

// startPGProcess creates a cluster in a temporary folder and starts its server.
func startPGProcess(ctx context.Context) (*pgProcess, error) {
	bin, err := pgBinaries()
	if err != nil {
		return nil, err
	}

	who, err := pgUser()
	if err != nil {
		return nil, err
	}

	// Another process may take the port between our check and the server's bind.
	for range 3 {
		p := &pgProcess{password: rand.Text()}
		if err = p.run(ctx, bin, who); err == nil {
			return p, nil
		}
	}

	return nil, err
}

func (p *pgProcess) run(ctx context.Context, bin string, who *syscall.Credential) error {
	dir, err := pgFolder(who)
	if err != nil {
		return err
	}
	if err = p.initialize(ctx, bin, dir, who); err == nil {
		err = p.start(ctx, bin, dir, who)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}

	return nil
}

func (p *pgProcess) initialize(ctx context.Context, bin, dir string, who *syscall.Credential) error {
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(p.password), 0o600); err != nil {
		return err
	}

	if who != nil {
		if err := os.Chown(secret, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}

	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), //nolint:gosec // a program that we found
		"--pgdata="+filepath.Join(dir, "data"), "--username=postgres", "--pwfile="+secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	cmd.Dir = dir

	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}

	return nil
}

func (p *pgProcess) start(ctx context.Context, bin, dir string, who *syscall.Credential) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}

	p.host, p.dir = net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), dir
	args := []string{
		"-c", pgSupervisor, "platform-testkit", dir, filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"),
		"-p", strconv.Itoa(port),
	}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=400",
		"fsync=off", "full_page_writes=off", "autovacuum=off", "wal_level=minimal", "max_wal_senders=0",
		// Not UTC, because the platform must set its time zone itself.
		"timezone=Asia/Kathmandu",
	} {
		args = append(args, "-c", setting)
	}

	cmd := exec.CommandContext(ctx, "sh", args...) //nolint:gosec // a program that we found
	// The server has a process group of its own: Ctrl-C at the terminal reaches only us,
	// and closing the pipe ends the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
	cmd.Dir = dir
	var last bytes.Buffer // the server's last output
	cmd.Stderr = &last

	if p.keep, err = cmd.StdinPipe(); err != nil {
		return err
	}

	if err := cmd.Start(); err != nil {
		return err
	}

	p.ended = make(chan struct{})
	go func() { defer close(p.ended); _ = cmd.Wait() }()

	if err := p.await(); err != nil {
		p.stop()
		return fmt.Errorf("postgres: %w\n%s", err, last.Bytes())
	}

	return nil
}

// await waits until the server accepts connections, which its pid file says.
func (p *pgProcess) await() error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(Patience)
	for {
		select {
		case <-p.ended:
			return errors.New("the server stopped")
		case <-deadline:
			return errors.New("not ready after 60 seconds")
		case <-ticker.C:
			content, err := os.ReadFile(p.pidFile())
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if bytes.Contains(content, []byte("\nready")) {
				return nil
			}
		}
	}
}

// memoryFolder is where Linux keeps files in memory. A server whose files are there creates
// and drops a database in a tenth of the time.
const (
	memoryFolder = "/dev/shm"
	memoryNeeded = 4 << 30 // bytes; containers often have 64 MiB
)

// fastFolder returns memoryFolder if it is large enough, and otherwise "", which stands for
// the system's folder for temporary files.
func fastFolder() string {
	var found syscall.Statfs_t
	if err := syscall.Statfs(memoryFolder, &found); err != nil ||
		found.Bavail*uint64(found.Bsize) < memoryNeeded { //nolint:gosec // a block's size is positive
		return ""
	}
	return memoryFolder
}

// pgFolder creates a temporary folder that the server's user owns.
func pgFolder(who *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp(fastFolder(), "platform-testkit-postgres-")
	if err != nil || who == nil {
		return dir, err
	}
	return dir, os.Chown(dir, int(who.Uid), int(who.Gid))
}

// pgBinaries finds the folder with initdb and postgres, where distributions install it or
// in PATH. It installs the package if there is none.
func pgBinaries() (string, error) {
	if dir := findPGBinaries(); dir != "" {
		return dir, nil
	}
	if err := apt.Install("PostgreSQL (initdb and postgres)", "postgresql"); err != nil {
		return "", err
	}
	if dir := findPGBinaries(); dir != "" {
		return dir, nil
	}

	return "", errors.New("the package postgresql is installed, but there is no initdb in PATH or /usr/lib/postgresql/*/bin")
}

func findPGBinaries() string {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}

	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(installed, func(a, b string) int { return version(b) - version(a) })

	for _, dir := range append(dirs, installed...) {
		_, noInit := os.Stat(filepath.Join(dir, "initdb"))
		_, noServer := os.Stat(filepath.Join(dir, "postgres"))
		if noInit == nil && noServer == nil {
			return dir
		}
	}

	return ""
}

func version(dir string) int {
	n, _ := strconv.Atoi(strings.SplitN(filepath.Base(filepath.Dir(dir)), ".", 2)[0])
	return n
}

// pgUser returns the user that the server runs as. That is our own, or an account without
// privileges if we are root, as which PostgreSQL refuses to run.
func pgUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // no credential: keep our own user
	}

	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}

		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}

	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func freePort(ctx context.Context) (int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
