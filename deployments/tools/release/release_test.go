package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

var released = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	must(t, err)

	return content
}

// requireSame fails unless the two files hold the same bytes.
func requireSame(t *testing.T, a, b string) {
	t.Helper()
	if !bytes.Equal(read(t, a), read(t, b)) {
		t.Fatalf("%s and %s differ", a, b)
	}
}

func TestAnArchiveDoesNotDependOnTimesAndUmasks(t *testing.T) {
	var archives []string
	for i, mode := range []os.FileMode{0o755, 0o700} {
		folder := filepath.Join(t.TempDir(), "program-1.2.3")
		must(t, os.Mkdir(folder, mode))
		must(t, os.WriteFile(filepath.Join(folder, "LICENSE"), []byte("do as you like"), mode&^0o111))
		must(t, os.WriteFile(filepath.Join(folder, "program"), []byte("binary"), mode))
		changed := released.Add(time.Duration(i) * time.Hour)
		must(t, os.Chtimes(filepath.Join(folder, "program"), changed, changed))

		archives = append(archives, filepath.Join(t.TempDir(), "program.tar.gz"))
		must(t, archive(archives[i], folder, released))
	}

	requireSame(t, archives[0], archives[1])

	content, err := gzip.NewReader(bytes.NewReader(read(t, archives[0])))
	must(t, err)
	entries := tar.NewReader(content)
	for _, want := range []struct {
		name string
		mode int64
	}{{"program-1.2.3/LICENSE", 0o644}, {"program-1.2.3/program", 0o755}} {
		entry, err := entries.Next()
		must(t, err)
		if entry.Name != want.name || entry.Mode != want.mode || !entry.ModTime.Equal(released) {
			t.Errorf("got %s %o %s, want %s %o", entry.Name, entry.Mode, entry.ModTime, want.name, want.mode)
		}
	}
}

func TestAChartPackagedLaterIsTheSameAfterRepacking(t *testing.T) {
	var charts []string
	for i := range 2 {
		var packed bytes.Buffer
		compress := gzip.NewWriter(&packed)
		compress.ModTime = released.Add(time.Duration(i) * time.Minute)
		pack := tar.NewWriter(compress)
		must(t, pack.WriteHeader(&tar.Header{
			Name:    "chart/Chart.yaml",
			Mode:    0o644,
			Size:    8,
			ModTime: released.Add(time.Duration(i) * time.Minute),
			Uname:   []string{"root", "builder"}[i],
		}))
		_, err := pack.Write([]byte("name: x\n"))
		must(t, err)
		must(t, pack.Close())
		must(t, compress.Close())

		charts = append(charts, filepath.Join(t.TempDir(), "chart.tgz"))
		must(t, os.WriteFile(charts[i], packed.Bytes(), 0o600))
		must(t, repack(charts[i], released))
	}

	requireSame(t, charts[0], charts[1])
}

// saved writes what an engine saves of an image that it built at the time.
func saved(t *testing.T, built time.Time, engine string) string {
	t.Helper()
	var content bytes.Buffer
	pack := tar.NewWriter(&content)
	must(t, pack.WriteHeader(&tar.Header{
		Name:    "token",
		Mode:    0o755,
		Size:    6,
		ModTime: built,
	}))
	_, err := pack.Write([]byte("binary"))
	must(t, err)
	must(t, pack.Close())

	layer, err := tarball.LayerFromReader(&content) //nolint:staticcheck // The test's layer is small.
	must(t, err)
	img, err := mutate.Append(empty.Image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: built}, CreatedBy: "COPY /out/token /token"},
	})
	must(t, err)
	config, err := img.ConfigFile()
	must(t, err)
	config = config.DeepCopy()
	config.Created = v1.Time{Time: built}
	config.DockerVersion = engine
	config.Config.Entrypoint = []string{"/token"}
	img, err = mutate.ConfigFile(img, config)
	must(t, err)

	tag, err := name.NewTag("platform-oauth/token:1.2.3")
	must(t, err)
	file := filepath.Join(t.TempDir(), "saved.tar")
	must(t, tarball.WriteToFile(file, tag, img))

	return file
}

func TestAnImageDoesNotDependOnItsEngine(t *testing.T) {
	var images []string
	for i, from := range []string{
		saved(t, released.Add(time.Hour), "20.10"),
		saved(t, released.Add(2*time.Hour), "28.2"),
	} {
		images = append(images, filepath.Join(t.TempDir(), "image.tar"))
		must(t, image(images[i], from, released))
	}

	requireSame(t, images[0], images[1])

	img, err := tarball.ImageFromPath(images[0], nil)
	must(t, err)
	config, err := img.ConfigFile()
	must(t, err)
	if runs := config.Config.Entrypoint; !config.Created.Equal(released) || !slices.Equal(runs, []string{"/token"}) {
		t.Errorf("got an image of %s that runs %v", config.Created, runs)
	}
}

func TestEveryLinkedModuleAppearsWithItsLicence(t *testing.T) {
	var printed strings.Builder
	must(t, notices(t.Context(), &printed, "", []string{"linux/amd64", "darwin/arm64"}, []string{"."}))

	for _, want := range []string{
		"Go standard library: LICENSE",
		"github.com/google/go-containerregistry v0.",
		"Redistribution and use in source and binary forms",
		"Apache License",
	} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("the notices lack %q", want)
		}
	}

	if strings.Contains(printed.String(), own) {
		t.Error("the project's own modules aren't third-party")
	}
}

func TestALicenceInASubfolderCounts(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, "internal", "borrowed")
	must(t, os.MkdirAll(folder, 0o755))
	must(t, os.WriteFile(filepath.Join(root, "COPYING"), []byte("ours\r\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "LICENSE.txt"), []byte("theirs\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "license.go"), []byte("package borrowed"), 0o600))

	found, licensed := map[string]*text{}, map[string]bool{}
	must(t, collect(found, licensed, "example.com/m v1", root, folder))

	if len(found) != 2 || found["ours"] == nil || found["theirs"] == nil || !licensed["example.com/m v1"] {
		t.Errorf("got %v, licensed %v", found, licensed)
	}
}

func TestAModuleWithoutALicenceIsNoticed(t *testing.T) {
	root := t.TempDir()
	must(t, os.WriteFile(filepath.Join(root, "NOTICE"), []byte("made by us"), 0o600))

	found, licensed := map[string]*text{}, map[string]bool{}
	must(t, collect(found, licensed, "example.com/m v1", root, root))

	if has, seen := licensed["example.com/m v1"]; !seen || has {
		t.Errorf("a NOTICE alone gives no rights, but licensed is %v", licensed)
	}
}
