//go:build images

package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Limits of the unpacked size of an image, in bytes.
const (
	serviceLimit  = 30_000_000
	platformLimit = 45_000_000
)

var names = []string{"platform", "authorize", "token", "device", "session", "keys"}

// docker runs the engine's client and returns what it printed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	program := os.Getenv("DOCKER")
	require.NotEmpty(t, program, "these tests are run by `make images-check`")
	var complaint bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...) // cleanups call it too
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	require.NoError(t, err, "docker %v:\n%s%s", args, out, complaint.String())
	return strings.TrimSpace(string(out))
}

func image(name string) string { return "platform-oauth/" + name + ":" + os.Getenv("IMAGE_TAG") }

// about holds the parts of an image's configuration that the tests use.
type about struct {
	Config struct {
		User         string
		Entrypoint   []string
		Labels       map[string]string
		ExposedPorts map[string]struct{}
		Env          []string
	}
}

func TestEachImageSaysWhatItIsAndRunsAsNobody(t *testing.T) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			var found []about
			require.NoError(t, json.Unmarshal([]byte(docker(t, "image", "inspect", image(name))), &found))
			config := found[0].Config
			require.Equal(t, "65532:65532", config.User)
			require.Equal(t, []string{"/" + name}, config.Entrypoint)
			require.ElementsMatch(t, []string{"8080/tcp", "9090/tcp"}, slices.Collect(maps.Keys(config.ExposedPorts)))
			require.Equal(t, name, config.Labels["org.opencontainers.image.title"])
			require.Equal(t, os.Getenv("IMAGE_TAG"), config.Labels["org.opencontainers.image.version"])
			require.Regexp(t, `^[0-9a-f]{40}$`, config.Labels["org.opencontainers.image.revision"])
			require.Equal(t, "Apache-2.0", config.Labels["org.opencontainers.image.licenses"])
			require.NotEmpty(t, config.Labels["org.opencontainers.image.description"])

			for _, variable := range config.Env {
				require.NotRegexp(t, `(?i)(secret|password|token|_keys)=`, variable, "no secret is baked in")
			}
		})
	}
}

// TestEachImageHoldsTheBytesOfMakeBuild checks that another machine and folder give the
// same bytes, and that the image holds nothing else, such as a shell.
func TestEachImageHoldsTheBytesOfMakeBuild(t *testing.T) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			files, size := unpack(t, name)
			limit := int64(serviceLimit)
			if name == "platform" {
				limit = platformLimit
			}

			t.Logf("%s unpacks to %.1f MB of at most %.0f", name, float64(size)/1e6, float64(limit)/1e6)
			require.LessOrEqual(t, size, limit)
			require.ElementsMatch(t, []string{name, "etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo.zip"},
				slices.Collect(maps.Keys(files)))
			built, err := os.ReadFile(filepath.Join("..", "..", "bin", name))
			require.NoError(t, err, "make build comes first")
			require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(built)), files[name], "the binary is not reproducible")
		})
	}
}

// unpack lists the files of an image with their SHA-256, and their total size. Files that
// the engine itself puts into a container (/dev, /proc, names) are empty.
func unpack(t *testing.T, name string) (files map[string]string, size int64) {
	t.Helper()
	container := docker(t, "create", image(name))
	t.Cleanup(func() { docker(t, "rm", container) })
	cmd := exec.CommandContext(t.Context(), os.Getenv("DOCKER"), "export", container)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	files = map[string]string{}
	archive := tar.NewReader(out)
	for {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}

		require.NoError(t, err)

		if entry.Typeflag != tar.TypeReg || entry.Size == 0 {
			continue
		}

		sum := sha256.New()
		n, err := io.Copy(sum, archive)
		require.NoError(t, err)
		files[entry.Name], size = fmt.Sprintf("%x", sum.Sum(nil)), size+n
	}

	require.NoError(t, cmd.Wait())
	return files, size
}
