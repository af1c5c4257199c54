# Several claims a job: starting Python takes as long as a claim.
for claims in PLAN.batches("claim"):

    rule:
        name:
            f"claim_{claims[0].replace('-', '_')}"
        output:
            [path for claim in claims for path in PLAN.paths(PLAN.outputs("claim", claim))],
            timing=[f"{OUT}/timings/claim/{claim}.json" for claim in claims],
        log:
            f"{OUT}/logs/claim/{claims[0]}.log",
        benchmark:
            f"{OUT}/benchmarks/claim/{claims[0]}.tsv"
        conda:
            "environment.yaml"
        threads: 1
        resources:
            mem_mb=MEMORY,
            runtime=LIMIT * len(claims),
        params:
            stage="claim",
            names=list(claims),
            jobs=" ".join(f"--job {claim}" for claim in claims),
            rests_on=rests_on(PLAN, RETRIED, "claim", *claims),
        shell:
            "python -m scorebench stage claim {params.jobs} > {log} 2>&1"
