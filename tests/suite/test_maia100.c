/* SPDX-License-Identifier: Apache-2.0 */
/* labels: slow */
#include "tests/support/suite_tests.h"

int main(void)
{
    return tsr_test_suite("maia100");
}
