package e2e

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// partVariable names the part of the suite that a process runs, such as 2/4, so that several
// machines can share it. Without it, all tests run.
const partVariable = "E2E_PART"

// heavy are the tests that take longest, with the seconds each took on a quiet machine with two
// cores. Those that aren't listed count as usual. The figures only balance the parts.
var heavy = map[string]int{
	"TestFaultsUnderLoad":                  62,
	"TestTwoHundredDevicesPollTwoReplicas": 23,
	"TestRotationUnderLoad":                11,
	"TestDemoInChromium":                   10,
	"TestFlowsWithKeysInVault":             9,
	"TestWhatIsSeenFromOutside":            8,
}

const usual = 3

// choose makes the process run only the tests of a part. What the whole suite must have seen of
// the contract isn't asked of a part.
func choose(part string) error {
	tests, err := allTests()
	if err != nil {
		return err
	}

	pattern, err := partOf(part, tests)
	if err != nil {
		return err
	}

	return flag.Set("test.run", pattern)
}

// partOf returns the tests of a part such as 2/4, as a pattern for -test.run. The heaviest tests
// are dealt first, each to the part that has least to do.
func partOf(part string, tests []string) (pattern string, err error) {
	var n, of int
	if _, err := fmt.Sscanf(part, "%d/%d", &n, &of); err != nil || n < 1 || n > of {
		return "", fmt.Errorf("%s=%q is not like 2/4", partVariable, part)
	}

	seconds := func(test string) int { return cmp.Or(heavy[test], usual) }
	tests = slices.Clone(tests)
	slices.SortFunc(tests, func(a, b string) int {
		return cmp.Or(cmp.Compare(seconds(b), seconds(a)), strings.Compare(a, b))
	})

	load, parts := make([]int, of), make([][]string, of)
	for _, test := range tests {
		least := slices.Index(load, slices.Min(load))
		load[least] += seconds(test)
		parts[least] = append(parts[least], test)
	}

	if len(parts[n-1]) == 0 {
		return "", fmt.Errorf("%s=%q: there are only %d tests", partVariable, part, len(tests))
	}

	return "^(" + strings.Join(parts[n-1], "|") + ")$", nil
}

// allTests returns the names of this package's tests.
func allTests() (tests []string, err error) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		return nil, err
	}

	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}

		if strings.HasPrefix(string(source), "//go:build cluster") {
			continue
		}

		for _, found := range declared.FindAllStringSubmatch(string(source), -1) {
			tests = append(tests, found[1])
		}
	}

	if len(tests) == 0 {
		return nil, errors.New("no tests found")
	}

	return tests, nil
}

func TestEachTestIsInOnePart(t *testing.T) {
	tests, err := allTests()
	require.NoError(t, err)
	for test := range heavy {
		require.Contains(t, tests, test, "it is gone or has another name")
	}

	for of := 1; of <= 5; of++ {
		var dealt []string
		for n := 1; n <= of; n++ {
			pattern, err := partOf(fmt.Sprintf("%d/%d", n, of), tests)
			require.NoError(t, err)
			dealt = append(dealt, strings.Split(strings.Trim(pattern, "^()$"), "|")...)
		}
		require.ElementsMatch(t, tests, dealt)
	}

	for _, wrong := range []string{"0/4", "5/4", "2", "two/4", "9999/9999"} {
		_, err := partOf(wrong, tests)
		require.ErrorContains(t, err, partVariable)
	}
}
