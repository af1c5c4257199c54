# Longest way to the page first: training, then sampling, then measuring; claims fill the gaps.
rule train:
    output:
        f"{OUT}/train/{{job}}.npz",
        timing=f"{OUT}/timings/train/{{job}}.json",
    log:
        f"{OUT}/logs/train/{{job}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{job}}.tsv"
    priority: 3
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=MEMORY,
        runtime=LIMIT,
    params:
        rests_on=lambda wildcards: rests_on(PLAN, RETRIED, "train", wildcards.job),
    shell:
        "python -m scorebench stage train --job {wildcards.job} > {log} 2>&1"
