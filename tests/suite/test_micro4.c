/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/suite_tests.h"

int main(void)
{
    return tsr_test_suite("micro4");
}
